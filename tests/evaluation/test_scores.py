"""Sources, kinds and labels out of outcomes, by hand."""

import math

import pytest

from fashion_model.evaluation.scores import score, score_folder


def test_the_figures_of_a_source_by_hand(outcome):
    found = score(
        "home",
        [
            outcome("Bag", 0.9, 8),
            outcome("Bag", 0.7, 8),
            outcome("Bag", 0.6, 7),
            outcome("Bag", 0.8),
            outcome("Bag", 0.2),
            outcome("Bag", 0.99, label="Polo"),
        ],
    )
    assert (found.name, found.count, found.others) == ("home", 3, 2)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.macro_accuracy == pytest.approx(1 / 2)
    assert found.ece == pytest.approx((0.1 + 0.3 + 0.6) / 3)
    assert found.coverage == pytest.approx(2 / 3)
    # .9 is above both .8 and .2, .7 and .6 above one each
    assert found.auroc == found.auroc_by_confidence == pytest.approx(4 / 6)
    assert found.fpr95 == found.fpr95_by_confidence == pytest.approx(1 / 2)
    assert found.kinds == {"photo": 1}
    assert found.nll == pytest.approx(-math.log(0.9 * 0.7 * 1e-12) / 3)  # no confidence in 7


def test_the_probability_of_none_of_the_ten_has_figures_beside_the_confidence(outcome):
    outcomes = [
        outcome("Bag", 0.5, 8, probability=0.1),
        outcome("Bag", 0.9, probability=0.7),
        outcome("Bag", 0.4, probability=0.05),
    ]
    found = score("home", outcomes)
    assert (found.auroc, found.fpr95) == (0.5, 0.5)
    assert (found.auroc_by_confidence, found.fpr95_by_confidence) == (0.5, 0.5)
    assert [o.out_of_distribution for o in outcomes] == [0.1, 0.7, 0.05]
    assert outcome("Bag", 0.9).out_of_distribution == pytest.approx(0.1)
    sharper = score("home", [outcome("Bag", 0.5, 8, probability=0.1), outcomes[1]])
    assert (sharper.auroc, sharper.auroc_by_confidence) == (1, 0)


def test_right_answers_that_are_doubted_and_other_things_that_are_found(outcome):
    probabilities = (0.1, 0.49, 0.5, 0.9)
    outcomes = [outcome("Bag", 0.5, 8, probability=p) for p in probabilities]
    outcomes += [outcome("Coat", 0.5, 8, probability=0.9)]  # wrong: a doubt is no mistake
    outcomes += [outcome("Bag", 0.5, probability=p) for p in (0.3, 0.6, 0.7)]
    found = score("home", outcomes)
    assert found.right_doubted == pytest.approx(2 / 4)
    assert found.others_doubted == pytest.approx(2 / 3)
    silent = score("home", [outcome("Bag", 0.1, 8)])
    assert (silent.right_doubted, silent.others_doubted) == (0, None)


def test_the_confidence_in_all_targets_together_counts(outcome):
    shoe = outcome("Sneaker", 0.6, 5, 7, 9)
    shoe.confidences["Sandal"] = 0.3
    assert shoe.right
    assert shoe.in_targets == pytest.approx(0.9)
    assert score("home", [shoe]).nll == pytest.approx(-math.log(0.9))


def test_other_things_of_a_source_are_its_own_and_those_beside_it(outcome):
    found = score_folder(
        [
            outcome("Bag", 0.8, 8, source="doodle"),
            outcome("Bag", 0.9, source="doodle", label="cat"),
            outcome("Bag", 0.1, source="doodle-other", label="dog"),
            outcome("Bag", 0.99, source="home", label="Polo"),  # vague
            outcome("Bag", 0.5, source="things", label="cup"),
            outcome("Bag", 0.7, 8, source="icon (one, MIT)"),
            outcome("Bag", 0.7, 7, source="icon (another, ISC)"),
        ]
    )
    rows = [(s.name, s.count, s.others, s.auroc) for s in found.sources]
    assert rows == [
        ("doodle", 1, 2, 0.5),
        ("home", 0, 0, None),
        ("icon", 2, 0, None),
        ("things", 0, 1, 1),  # against the garments of all sources of the kind
    ]
    assert [(s.name, s.count, s.others) for s in found.kinds] == [("photo", 3, 3)]
    assert found.vague == 1
    # a vague label that accepts something is scored
    assert outcome("Shirt", 0.5, 6, label="Blouse").role == "scored"


def test_labels_name_their_answers_most_frequent_first(outcome):
    answers = ["Bag", "Bag", "Coat", "Coat", "Coat", "Dress"]
    found = score_folder([outcome(answer, 0.5, 8) for answer in answers])
    (label,) = found.labels
    assert label.answers == {"Coat": 3, "Bag": 2, "Dress": 1}
    assert (label.kind, label.accuracy) == ("photo", pytest.approx(1 / 3))
