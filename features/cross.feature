Feature: Crossing from one window to the next with one pane

  Scenario: One pane closes a window and opens the next
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin --window W0-20`
    And codex shows weekly 62% left and the operator runs `tracker alias cross codex --stdin`
    Then it says "stored codex after snapshot for W0-20 and seeded before snapshot for W0-21"
    And the journal snapshots holds 3 records
    And the last record of snapshots has window "W0-21"

  Scenario: The next window goes on from there
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin --window W0-20`
    And codex shows weekly 62% left and the operator runs `tracker alias cross codex --stdin`
    And codex shows weekly 60% left and the operator runs `tracker alias end codex --stdin`
    Then it says "stored codex after snapshot for W0-21 (ready to finalize)"

  Scenario: There is nothing to cross
    When codex shows weekly 62% left and the operator runs `tracker alias cross codex --stdin`
    Then it is refused with "codex has no open window"

  Scenario: No AFTER within five minutes after a reset
    Given the time is "2026-10-20T11:00:00Z"
    When codex shows weekly 80% left, reset at 12:00, and the operator runs `tracker alias start codex --stdin --timezone UTC`
    And the time is "2026-10-20T12:03:00Z"
    And codex shows weekly 99% left and the operator runs `tracker alias cross codex --stdin`
    Then it is refused with "Expected one at 2026-10-20T12:05:00Z or later."
    And the journal snapshots holds 1 record

  Scenario: The operator insists, and it is an anomaly
    Given the time is "2026-10-20T11:00:00Z"
    When codex shows weekly 80% left, reset at 12:00, and the operator runs `tracker alias start codex --stdin --timezone UTC`
    And the time is "2026-10-20T12:03:00Z"
    And codex shows weekly 79% left and the operator runs `tracker alias end codex --stdin --notes late-after`
    Then it notes "anomaly late-after in W0-01"
    And the journal anomalies holds 1 record
