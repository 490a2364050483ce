Feature: Finalizing a window and reading the verdict

  Scenario: A finished window
    Given the lane "main"
    And a codex window W0-20 from weekly 80% left to 62% left
    When the operator runs `tracker complete --window W0-20 --codex-features 3 --quality 1.0 --outcome pass --notes "session002 main lane"`
    Then it says "finalized W0-20 (codex: features=3, capacity=18 pp)"
    When the operator runs `tracker preview --window W0-20`
    Then it says
      """
      Windows: W0-20
      Anomalies: 0 (see anomalies.jsonl)
      Providers:
        - codex: features=3, capacity=18 pp, efficiency=0.17, ci=n/a, n=1, power=n/a
      Outcome: quality=1.0, outcome=pass
      Notes: session002 main lane
      Snapshots:
        - codex: after, before (source=alias, notes=AGENT_ID=main)
      """

  Scenario: A provider whose AFTER is missing
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    And the operator runs `tracker complete --window W0-01 --codex-features 1`
    Then it is refused with "missing codex AFTER"

  Scenario: Features that were not given
    Given a codex window W0-01 from weekly 80% left to 62% left
    When the operator runs `tracker complete --window W0-01`
    Then it notes "no --codex-features was given, so codex is left out"

  Scenario: Finalizing again corrects
    Given a codex window W0-01 from weekly 80% left to 62% left
    When the operator runs `tracker complete --window W0-01 --codex-features 1`
    And the operator runs `tracker window-finalize --window W0-01 --codex-features 9`
    And the operator runs `tracker preview`
    Then it says "features=9, capacity=18 pp, efficiency=0.50"

  Scenario: An open window is shown as open
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    And the operator runs `tracker preview`
    Then it says "codex: features=n/a, capacity=n/a, efficiency=n/a, ci=n/a, n=0, power=n/a (open)"

  Scenario: Three windows give an interval
    Given the finalized codex windows
      | window | features | capacity |
      | W0-01  | 3        | 18       |
      | W0-02  | 2        | 10       |
      | W0-03  | 4        | 20       |
    When the operator runs `tracker preview`
    Then it says "codex: features=9, capacity=48 pp, efficiency=0.19, ci=0.04-0.44, n=3"
    When the operator runs `tracker preview --json`
    Then the JSON has providers.0.ci_kind "measured"

  Scenario: A window whose capture was deleted afterwards
    Given the finalized codex windows
      | window | features | capacity |
      | W0-01  | 3        | 18       |
    When the operator runs `tracker alias delete codex --phase after --window W0-01 --yes`
    And the operator runs `tracker preview`
    Then it says "(stale: re-run complete, or complete --reopen)"
