Feature: Several agents in parallel lanes

  Scenario: The lane is stamped on the record
    Given the lane "sub1"
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin --notes mine`
    Then the last record of snapshots has agent_id "sub1"
    And the last record of snapshots has notes "mine; AGENT_ID=sub1"

  Scenario: Two lanes hold the same window without touching each other's
    Given the lane "main"
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin --window W0-20`
    Given the lane "sub1"
    When codex shows weekly 70% left and the operator runs `tracker alias start codex --stdin --window W0-20`
    Given the lane "main"
    When codex shows weekly 60% left and the operator runs `tracker alias end codex --stdin`
    And the operator runs `tracker complete --window W0-20 --codex-features 2`
    Then it says "finalized W0-20 (codex: features=2, capacity=20 pp)"

  Scenario: A lane sees its own open window only
    Given the lane "main"
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin --window W0-20`
    Given the lane "sub1"
    When codex shows weekly 60% left and the operator runs `tracker alias end codex --stdin`
    Then it is refused with "codex has no open window in lane sub1"

  Scenario: A name that could be a path is refused
    Given the lane "../other"
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    Then it is refused with "Invalid AGENT_ID"
    And nothing was stored

  Scenario: Without a lane the notes are not stamped
    Given no lane
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    Then the last record of snapshots has notes null
    And the last record of snapshots has agent_id null
