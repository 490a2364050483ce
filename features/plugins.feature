Feature: Plugins that are broken, new or left out

  Scenario: A broken plugin is named and the rest works
    Given a plugin "broken" whose module says
      """
      raise RuntimeError("no")
      """
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    Then it says "stored codex before snapshot"
    When the operator runs `tracker preview`
    Then it notes "plugin 'broken' failed to be imported: RuntimeError: no"
    When the operator runs `tracker plugins list`
    Then it says "broken"

  Scenario: A new provider needs no change here
    Given a plugin "fuel" whose module says
      """
      from tracker.api import Gauge, Meter, Reading, Source, hookimpl

      @hookimpl
      def source_info():
          meters = (Meter(key="tank", title="Tank"),)
          return Source(contract="1.0", name="fuel", title="Fuel", prefix="f", capacity="tank", meters=meters)

      @hookimpl
      def parse_status(text):
          return Reading(gauges=(Gauge(meter="tank", used=float(text)),))
      """
    When the operator runs `tracker alias start fuel --stdin` with
      """
      10
      """
    And the operator runs `tracker override fuel --window W0-01 --phase after --tank-pct 25`
    And the operator runs `tracker complete --window W0-01 --fuel-features 3`
    And the operator runs `tracker preview`
    Then it says "fuel: features=3, capacity=15 pp, efficiency=0.20"

  Scenario: A plugin is left out on request
    Given the variable TRACKER_DISABLE_PLUGINS is "tracker-glm"
    When the operator runs `tracker plugins list`
    Then it does not say "glm  status"
    And it ends with status 0

  Scenario: Hook calls can be watched
    Given the variable TRACKER_TRACE is "1"
    When codex shows weekly 80% left and the operator runs `tracker alias start codex --stdin`
    Then it notes "trace: codex.parse_status("
