"""Bad input in every feature of a plant gives one clear message with its file, line and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitgym import catalog
from jitgym.catalog import load
from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario
from tests.scenarios import plant

PLANT = """\
name: small-plant
period: one hour
horizon: {ongoing: 100}
items:
  steel: {holding_cost: 0.5}
  panel: {holding_cost: 1, shelf_life: 3, issuing: fifo, obsolescence: 0.1}
  seconds: {}
work_centers:
  press: {time: 12, overtime: {time: 2, cost: 30}, breakdown: {fails: 0.02, repaired: 0.25}}
carriers:
  truck: {cost: 20, capacity: 10}
streams:
  orders: {quantity: {distribution: poisson, mean: 9}}
sources:
  mill:
    makes: steel
    lead_time: 3
    carrier: truck
    disruption: {fails: 0.01, repaired: 0.2}
    partial: {share: 0.5, rest: later}
    commitment: {quantity: 40, every: 8, shortfall_cost: 2}
  pressing:
    makes: panel
    consumes: {steel: 1}
    at: press
    setup_time: 0.5
    quality: {defects: 0.1, drifts: 0.01, escapes: 0.2, by_product: seconds}
projects:
  smed: {cost: 100, improves: {sources.pressing.setup_time: 0.1}, slows: press, slowed_by: 0.2}
demands:
  north: {item: panel, quantity: {distribution: part-of, stream: orders, share: 0.6},
          unmet: backordered, abandons: 0.1}
  south: {item: panel, quantity: {distribution: part-of, stream: orders, share: 0.4},
          unmet: {backordered: 0.5}}
  sale: {item: seconds, quantity: {distribution: poisson, mean: 1}, unmet: lost, pattern: [1, 2]}
  known: {item: panel, quantity: {distribution: poisson, mean: 2},
          unmet: lost, forecast: {method: revealed, shares: [0.5, 0.2]}}
  waves:
    item: panel
    quantity:
      distribution: regimes
      regimes: {calm: 1, wave: 5}
      stay: {calm: 0.9, wave: 0.8}
    unmet: lost
  novelty:
    item: panel
    quantity: {distribution: life-cycle, mean: 50, standard_deviation_of_level: 20,
               shares: [0.5, 0.5]}
    unmet: lost
  rare: {item: panel, quantity: {distribution: intermittent, probability: 0.2, quantity: 3},
         unmet: lost}
"""

# (text to replace, its replacement, line of the fault, message).
FAULTS = [
    (
        "obsolescence: 0.1",
        "obsolescence: 1.1",
        6,
        "items.panel.obsolescence: is 1.1; expected at most 1",
    ),
    ("shelf_life: 3", "shelf_life: 0", 6, "items.panel.shelf_life: is 0; expected at least 1"),
    (
        "shelf_life: 3",
        "shelf_life: 2.5",
        6,
        "items.panel.shelf_life: is 2.5; expected a whole number",
    ),
    (
        "issuing: fifo",
        "issuing: oldest",
        6,
        "items.panel.issuing: is 'oldest'; expected 'fifo' or 'lifo'",
    ),
    (
        "overtime: {time: 2",
        "overtime: {time: 0",
        9,
        "work_centers.press.overtime.time: is 0; expected more than 0",
    ),
    (
        "fails: 0.01",
        "fails: -0.01",
        19,
        "sources.mill.disruption.fails: is -0.01; expected at least 0",
    ),
    (
        "repaired: 0.2}",
        "repaired: 1.2}",
        19,
        "sources.mill.disruption.repaired: is 1.2; expected at most 1",
    ),
    (
        "share: 0.5, rest",
        "share: 1.5, rest",
        20,
        "sources.mill.partial.share: is not a share; expected values from 0 to 1, not all 0",
    ),
    (
        "share: 0.5, rest",
        "share: 0, rest",
        20,
        "sources.mill.partial.share: is not a share; expected values from 0 to 1, not all 0",
    ),
    (
        "share: 0.5, rest",
        "share: {distribution: event, rate: 1, clock: c}, rest",
        20,
        "sources.mill.partial.share: is an event, not a share; expected values from 0 to 1",
    ),
    (
        "share: 0.5, rest",
        ("share: {distribution: finite, values: [0.5, 1.5], probabilities: [0.5, 0.5]}, rest"),
        20,
        "sources.mill.partial.share: is not a share; expected values from 0 to 1, not all 0",
    ),
    (
        "share: 0.5, rest",
        "share: {distribution: finite, values: [0.5, 1], probabilities: [0.5, 0.4]}, rest",
        20,
        "sources.mill.partial.share.probabilities: sum to 0.9; expected 1",
    ),
    (
        "rest: later",
        "rest: never",
        20,
        "sources.mill.partial.rest: is 'never'; expected 'cancelled' or 'later'",
    ),
    (
        "quantity: 40",
        "quantity: 0",
        21,
        "sources.mill.commitment.quantity: is 0; expected more than 0",
    ),
    ("every: 8", "every: 0", 21, "sources.mill.commitment.every: is 0; expected at least 1"),
    (
        ", shortfall_cost: 2",
        "",
        21,
        "sources.mill.commitment.shortfall_cost: is missing; expected a value",
    ),
    (
        "carrier: truck",
        "carrier: ship",
        18,
        "sources.mill.carrier: names the unknown carrier 'ship'; expected one of truck",
    ),
    ("capacity: 10", "capacity: 0", 11, "carriers.truck.capacity: is 0; expected more than 0"),
    (
        "defects: 0.1",
        "defects: 1.01",
        27,
        "sources.pressing.quality.defects: is 1.01; expected at most 1",
    ),
    (
        "escapes: 0.2",
        "escapes: 2",
        27,
        "sources.pressing.quality.escapes: is 2; expected at most 1",
    ),
    (
        "by_product: seconds",
        "by_product: second",
        27,
        (
            "sources.pressing.quality.by_product: names the unknown item 'second'; did you "
            "mean 'seconds'?"
        ),
    ),
    (
        "by_product: seconds",
        "by_product: panel",
        35,
        (
            "demands.sale.item: demands 'seconds', which no source makes; expected a source "
            "that makes it"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.pressing.setup_time: 0.5",
        29,
        (
            "projects.smed.improves.sources.pressing.setup_time: is 0.5; expected less "
            "than 0.5, as it is now"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.pressing.setup_time: 2",
        29,
        (
            "projects.smed.improves.sources.pressing.setup_time: is 2; expected less "
            "than 0.5, as it is now"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.pressing.setup_time: -1",
        29,
        "projects.smed.improves.sources.pressing.setup_time: is -1; expected at least 0",
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.pressing.setup_time: fast",
        29,
        "projects.smed.improves.sources.pressing.setup_time: is 'fast'; expected a number",
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.pressing.lot_size: 0.1",
        29,
        (
            "projects.smed.improves.sources.pressing.lot_size: cannot be improved; expected "
            "one of sources.NAME.setup_time, sources.NAME.lead_time, "
            "sources.NAME.setup_cost, sources.NAME.shipment_cost, "
            "sources.NAME.quality.defects, sources.NAME.disruption.fails, "
            "work_centers.NAME.breakdown.fails, carriers.NAME.cost"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.press.setup_time: 0.1",
        29,
        (
            "projects.smed.improves.sources.press.setup_time: does not exist; expected the "
            "path of an existing value"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.mill.quality.defects: 0.1",
        29,
        (
            "projects.smed.improves.sources.mill.quality.defects: does not exist; expected the "
            "path of an existing value"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.mill.lead_time: 0",
        29,
        (
            "projects.smed.improves.sources.mill.lead_time: can be 0; expected at least 1 period, "
            "also when improved"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.mill.lead_time: 5",
        29,
        (
            "projects.smed.improves.sources.mill.lead_time: can be longer than before; "
            "expected a shorter lead time"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        (
            "sources.mill.lead_time: {distribution: finite, values: [1, 9], probabilities: "
            "[0.9, 0.1]}"
        ),
        29,
        (
            "projects.smed.improves.sources.mill.lead_time: is {'distribution': 'finite', "
            "'values': [1, 9], 'probabilities': [0.9, 0.1]}; expected a lead time"
        ),
    ),
    (
        "sources.pressing.setup_time: 0.1",
        "sources.mill.lead_time: soon",
        29,
        "projects.smed.improves.sources.mill.lead_time: is 'soon'; expected a lead time",
    ),
    (
        "improves: {sources.pressing.setup_time: 0.1}",
        "improves: {}",
        29,
        "projects.smed.improves: improves nothing; expected a path",
    ),
    (
        "slows: press",
        "slows: pres",
        29,
        "projects.smed.slows: names the unknown work center 'pres'; did you mean 'press'?",
    ),
    ("slowed_by: 0.2", "slowed_by: 1.5", 29, "projects.smed.slowed_by: is 1.5; expected at most 1"),
    (
        "slowed_by: 0.2}",
        "slowed_by: 0.2}\n  again: {cost: 1, improves: {sources.pressing.setup_time: 0.2}}",
        30,
        (
            "projects.again.improves.sources.pressing.setup_time: is improved by two "
            "projects; expected only one"
        ),
    ),
    (
        "share: 0.6",
        "share: 0.7",
        33,
        (
            "demands.south.quantity.share: the shares of stream 'orders' sum to 1.1; "
            "expected at most 1"
        ),
    ),
    ("share: 0.6", "share: 0", 31, "demands.north.quantity.share: is 0; expected more than 0"),
    (
        "stream: orders, share: 0.6",
        "stream: order, share: 0.6",
        31,
        ("demands.north.quantity.stream: names the unknown stream 'order'; did you mean 'orders'?"),
    ),
    (
        "{quantity: {distribution: poisson, mean: 9}}",
        "{quantity: 2.5}",
        13,
        "streams.orders.quantity: a stream is shared in whole units; expected integers",
    ),
    (
        "{quantity: {distribution: poisson, mean: 9}}",
        "{quantity: {distribution: event, rate: 1, clock: c}}",
        13,
        "streams.orders.quantity: cannot be shared; expected a plain or recorded distribution",
    ),
    (
        "{quantity: {distribution: poisson, mean: 9}}",
        "{quantity: {distribution: poisson, mean: 9}}\n  others: {quantity: 3}",
        14,
        "streams.others: is shared by no demand; expected at least one",
    ),
    (
        "unmet: {backordered: 0.5}",
        "unmet: {backordered: 1.5}",
        34,
        "demands.south.unmet.backordered: is 1.5; expected at most 1",
    ),
    (
        "unmet: {backordered: 0.5}",
        "unmet: {lost: 0.5}",
        34,
        "demands.south.unmet.lost: unknown key; expected one of backordered (and 1 more)",
    ),
    ("abandons: 0.1", "abandons: 1.1", 32, "demands.north.abandons: is 1.1; expected at most 1"),
    (
        "unmet: backordered, abandons: 0.1",
        "unmet: lost, abandons: 0.1",
        32,
        "demands.north.abandons: is given, but no customer waits; expected unmet: backordered",
    ),
    (
        "pattern: [1, 2]",
        "pattern: [1, -2]",
        35,
        "demands.sale.pattern.1: is -2; expected at least 0",
    ),
    (
        "pattern: [1, 2]",
        "pattern: [1, 2], forecast: {method: revealed, shares: [0.5]}",
        35,
        (
            "demands.sale.forecast: cannot be combined with a pattern or seasons; "
            "expected only one of them"
        ),
    ),
    (
        "pattern: [1, 2]",
        "seasons: {factors: [], periods: 3}",
        35,
        "demands.sale.seasons.factors: is empty; expected at least one entry",
    ),
    (
        "pattern: [1, 2]",
        "seasons: {factors: [1, 2], periods: 0}",
        35,
        "demands.sale.seasons.periods: is 0; expected at least 1",
    ),
    (
        "shares: [0.5, 0.2]}",
        "shares: [0.5, 0.6]}",
        37,
        "demands.known.forecast.shares: sum to 1.1; expected more than 0 and at most 1",
    ),
    (
        "shares: [0.5, 0.2]}",
        "shares: [0, 0]}",
        37,
        "demands.known.forecast.shares: sum to 0; expected more than 0 and at most 1",
    ),
    (
        "shares: [0.5, 0.2]}",
        "shares: []}",
        37,
        "demands.known.forecast.shares: is empty; expected at least one entry",
    ),
    (
        "method: revealed, shares: [0.5, 0.2]",
        "method: croston",
        37,
        ("demands.known.forecast: croston needs records; expected it with recorded demand only"),
    ),
    (
        "method: revealed, shares: [0.5, 0.2]",
        "method: oracle",
        37,
        ("demands.known.forecast: oracle needs records; expected it with recorded demand only"),
    ),
    (
        "method: revealed, shares: [0.5, 0.2]",
        "method: guess",
        37,
        (
            "demands.known.forecast: unknown method 'guess'; expected "
            "'exponential-smoothing', 'croston', 'tsb', 'revealed', 'oracle'"
        ),
    ),
    (
        "{distribution: poisson, mean: 2}",
        "{distribution: regimes, regimes: {a: 1, b: 2}, stay: {a: 0.5, b: 0.5}}",
        37,
        (
            "demands.known.forecast: cannot reveal this demand ahead; expected a "
            "distribution that stays the same from period to period, without a clock"
        ),
    ),
    (
        "{distribution: poisson, mean: 2}",
        "{distribution: event, rate: 1, clock: c}",
        37,
        (
            "demands.known.forecast: cannot reveal this demand ahead; expected a "
            "distribution that stays the same from period to period, without a clock"
        ),
    ),
    (
        "{distribution: poisson, mean: 2}",
        "{distribution: part-of, stream: orders, share: 0.0001}",
        37,
        (
            "demands.known.forecast: cannot reveal this demand ahead; expected a "
            "distribution that stays the same from period to period, without a clock"
        ),
    ),
    (
        "      stay: {calm: 0.9, wave: 0.8}\n",
        "",
        40,
        "demands.waves.quantity.stay: is missing; expected a value",
    ),
    (
        "stay: {calm: 0.9, wave: 0.8}",
        "stay: {calm: 0.9}",
        43,
        "demands.waves.quantity.stay: expected a probability for each of calm, wave",
    ),
    (
        "stay: {calm: 0.9, wave: 0.8}",
        "stay: {calm: 1, wave: 1}",
        43,
        "demands.waves.quantity.stay: has two regimes that never end; expected at most one",
    ),
    (
        "stay: {calm: 0.9, wave: 0.8}",
        "stay: {calm: 0.9, wave: 1.8}",
        43,
        "demands.waves.quantity.stay.wave: is 1.8; expected at most 1",
    ),
    (
        "regimes: {calm: 1, wave: 5}",
        "regimes: {calm: 1}",
        42,
        "demands.waves.quantity.regimes: has 1; expected at least 2",
    ),
    (
        "regimes: {calm: 1, wave: 5}",
        "regimes: {calm: 1, wave: {distribution: event, rate: 1, clock: c}}",
        42,
        (
            "demands.waves.quantity.regimes.wave: is an event, but a regime has no clock; "
            "expected another distribution"
        ),
    ),
    (
        "shares: [0.5, 0.5]",
        "shares: [0.5, 0.4]",
        48,
        "demands.novelty.quantity.shares: sum to 0.9; expected 1",
    ),
    (
        "shares: [0.5, 0.5]",
        "shares: [1.5, -0.5]",
        48,
        "demands.novelty.quantity.shares.1: is -0.5; expected at least 0",
    ),
    (
        "standard_deviation_of_level: 20",
        "standard_deviation_of_level: 0",
        47,
        "demands.novelty.quantity.standard_deviation_of_level: is 0; expected more than 0",
    ),
    (
        "probability: 0.2",
        "probability: 1.2",
        50,
        "demands.rare.quantity.probability: is 1.2; expected at most 1",
    ),
    (
        "{ongoing: 100}",
        "{ongoing: 100, season: 20}",
        3,
        "horizon: expected either ongoing or season, in periods",
    ),
    (
        "{ongoing: 100}",
        "{season: 20, warm_up: 5}",
        3,
        "horizon.warm_up: is given, but a season has no warm-up; expected 0",
    ),
    (
        "{ongoing: 100}",
        "{season: 20, training: 5}",
        3,
        "horizon.training: is given, but a season is always trained whole; expected none",
    ),
    ("{ongoing: 100}", "{}", 3, "horizon: expected either ongoing or season, in periods"),
    (
        "mean: 50, standard",
        "mean: 50, first: -1, standard",
        47,
        "demands.novelty.quantity.first: is -1; expected at least 0",
    ),
]


@pytest.mark.parametrize(("good", "bad", "line", "told"), FAULTS)
def test_a_message_names_the_file_line_place_and_expectation(
    good: str, bad: str, line: int, told: str, tmp_path: Path
) -> None:
    assert "expected" in told or "did you mean" in told
    assert PLANT.count(good) >= 1
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT.replace(good, bad, 1))
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert caught.value.__cause__ is None
    assert str(caught.value) == f"{file}, line {line}: {told}"


def test_the_plant_of_these_tests_is_valid_and_survives_writing_and_reading(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT)
    scenario = load(file)
    assert Scenario.from_document(scenario.document()) == scenario
    written = tmp_path / "written.yaml"
    scenario.to_yaml(written)
    assert load(written) == scenario


def test_an_improved_lead_time_survives_writing_and_reading(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    faster = "sources.mill.lead_time: {distribution: uniform, low: 1, high: 2}"
    file.write_text(PLANT.replace("sources.pressing.setup_time: 0.1", faster))
    scenario = load(file)
    scenario.to_yaml(tmp_path / "written.yaml")
    assert load(tmp_path / "written.yaml") == scenario


def test_an_oracle_forecast_is_refused_without_the_tag_leaks() -> None:
    data = load("recorded-retail").document()
    del data["parameters"]["weight"]
    data["demands"]["customers"]["forecast"] = {"method": "oracle"}
    with pytest.raises(ScenarioError, match=r"customers.forecast: uses the future .* tag `leaks`"):
        Scenario.from_document(data)
    Scenario.from_document(data | {"tags": ["leaks"]})


@pytest.mark.parametrize("name", catalog.names())
def test_no_scenario_of_the_catalog_uses_the_future(name: str) -> None:
    assert "leaks" not in load(name).tags


def test_sections_without_entries_may_be_left_out() -> None:
    assert plant().document().keys() == {
        "name", "period", "horizon", "items", "sources", "demands"
    }  # fmt: skip
