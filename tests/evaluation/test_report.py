"""Tables say all figures, and dashes where there are none."""

from fashion_model.evaluation import report
from fashion_model.evaluation.scores import score, score_folder


def test_tables_without_figures_show_dashes(outcome):
    text = report.folder_text(score_folder([outcome("Bag", 0.4, label="Hat")]))
    home, photo = text.splitlines()[1:3]
    assert home.split() == ["home", "0", *"------", "1", *"----", "-", "0.00%", "0", "-"]
    assert photo.split()[:2] == ["photo", "0"]


def test_a_line_holds_all_figures_in_the_order_of_the_columns(outcome):
    outcomes = [outcome("Bag", 0.75, 8, probability=0.0), outcome("Bag", 0.8, probability=0.9)]
    head, line, *_ = report.scores_text([score("worn", outcomes)]).splitlines()
    columns = "pictures scored accuracy macro NLL ECE floor coverage others AUROC FPR95"
    assert head.split()[:11] == columns.split()
    cells = line.split()
    assert cells[:6] == ["worn", "1", "100.00%", "100.00%", "0.288", "25.00%"]
    assert 30 < float(cells[6].removesuffix("%")) < 45  # 0.75 * 0.25 + 0.25 * 0.75, by draws
    assert cells[7:13] == ["100.00%", "1", "1.000", "0.00%", "0.000", "100.00%"]
    assert cells[13:] == ["0.00%", "100.00%", "0", "photo", "100%"]  # doubted, found
