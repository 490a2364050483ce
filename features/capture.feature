Feature: Capturing meters before and after the work
  The operator pastes a provider's pane; the meters are stored with window, phase, lane and time.

  Scenario: A window is opened and closed
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    Then it says "stored codex before snapshot for W0-01 (awaiting end)"
    When codex shows weekly 62% left and the operator runs `tracker alias end codex --stdin`
    Then it says "stored codex after snapshot for W0-01 (ready to finalize)"
    And the journal snapshots holds 2 records
    And the last record of snapshots has parsed.weekly_pct 38

  Scenario: A closed window is followed by the next id, zero padding kept
    Given a codex window W0-09 from weekly 80% left to 70% left
    When codex shows weekly 70% left and the operator runs `tracker alias start codex --stdin`
    Then it says "for W0-10"

  Scenario: Claude's pane is read with its zone
    When claude shows 40% of all models used and the operator runs `tracker alias start claude --stdin --captured-at 2025-12-14T20:00:00Z`
    Then it says "stored claude before snapshot for W0-01 (awaiting end)"
    And the last record of snapshots has parsed.all_models_pct 40

  Scenario: GLM counts are cumulative and the difference is stored
    When glm counts 12 prompts and the operator runs `tracker alias start glm --stdin --window W0-20`
    And glm counts 30 prompts and the operator runs `tracker alias end glm --stdin`
    Then it says "stored glm delta for W0-20 (baseline=12, prompts=18)"
    And the last record of glm_counts has prompts_used 18

  Scenario: A pane without a value is not stored
    When the operator runs `tracker alias start codex --stdin` with
      """
      >_ OpenAI Codex (v0.169.0)
      Limits: data not available yet
      """
    Then it is refused with "insufficient-data"
    And nothing was stored

  Scenario: Text of another program is not stored
    When the operator runs `tracker alias start claude --stdin --captured-at 2025-12-14T20:00:00Z` with
      """
      Compiling... 55% done
      """
    Then it is refused with "holds no claude reading"
    And nothing was stored

  Scenario: A mistyped provider
    When the operator runs `tracker alias start codx --stdin`
    Then it is wrong usage: "Did you mean codex?"

  Scenario: An AFTER without a BEFORE
    When codex shows weekly 62% left and the operator runs `tracker alias end codex --stdin --window W0-05`
    Then it is refused with "W0-05 has no codex BEFORE"
    And nothing was stored

  Scenario: What would be stored can be looked at first
    When codex shows weekly 62% left and the operator runs `tracker alias start codex --stdin --dry-run`
    Then the JSON has parsed.weekly_pct 38
    And nothing was stored

  Scenario: A personal address is not stored
    When the operator runs `tracker alias start codex --stdin` with
      """
      >_ OpenAI Codex (v0.169.0)
      Account:       dev@example.com (Pro)
      Weekly limit:  80% left
      """
    Then the file "data/week0/live/snapshots.jsonl" says "d***@example.com"
