Feature: Correcting what was captured
  Nothing is erased: a correction is a row of its own.

  Scenario: The wrong pane is taken back
    Given a codex window W0-01 from weekly 80% left to 62% left
    When the operator runs `tracker alias delete codex --phase after --window W0-01`
    Then it says "removed codex after snapshot for W0-01 (captured_at="
    And the journal snapshots holds 3 records

  Scenario: Taking it back reopens the window
    Given a codex window W0-01 from weekly 80% left to 62% left
    When the operator runs `tracker alias delete codex --phase after --window W0-01`
    And codex shows weekly 60% left and the operator runs `tracker alias end codex --stdin`
    Then it says "stored codex after snapshot for W0-01 (ready to finalize)"

  Scenario: Nothing is left to take back
    Given a codex window W0-01 from weekly 80% left to 62% left
    When the operator runs `tracker alias delete codex --phase after --window W0-01`
    And the operator runs `tracker alias delete codex --phase after --window W0-01`
    Then it is refused with "There is no codex after capture for W0-01 to remove"

  Scenario: A meter that went up by itself is an anomaly, and deleting it closes that
    Given a codex window W0-01 from weekly 62% left to 80% left
    Then it notes "anomaly negative-delta in W0-01"
    When the operator runs `tracker complete --window W0-01 --codex-features 1`
    Then it is refused with "the capacity meter of codex fell"
    When the operator runs `tracker alias delete codex --phase after --window W0-01`
    And the operator runs `tracker preview`
    Then it says "Anomalies: 0 (see anomalies.jsonl)"

  Scenario: Meters that no pane shows are stored by hand
    When the operator runs `tracker override codex --window W0-01 --phase before --weekly-pct 20 --fiveh-pct 5`
    Then it says "stored codex before snapshot for W0-01"
    And the last record of snapshots has source "override"
    And the last record of snapshots has parsed.errors ["manual-override"]

  Scenario: The audit shows what stands and what was taken back
    Given a codex window W0-01 from weekly 80% left to 62% left
    When the operator runs `tracker alias delete codex --phase after --window W0-01 --reason typo`
    And the operator runs `tracker window-audit --window W0-01`
    Then it says "typo"

  Scenario: A mistyped window
    Given a codex window W0-20 from weekly 80% left to 62% left
    When the operator runs `tracker preview --window W0-02`
    Then it is refused with "Did you mean W0-20?"
