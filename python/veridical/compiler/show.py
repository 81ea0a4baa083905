"""A compile report for people: a table for the terminal and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from veridical.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.compiler.report import Agreement, CompileReport


def layer_table(report: CompileReport) -> Table:
    """Return one row per node that computes (layout nodes are left out)."""
    table = Table(title=f"{report.digest[:23]}…  precision {report.precision}")
    for column in ("node", "op", "tensor", "shape"):
        table.add_column(column)
    for column in ("range", "seen", "bits", "weight bits", "table", "rows"):
        table.add_column(column, justify="right")
    for column in ("max error", "mean error", "cosine"):
        table.add_column(column, justify="right")
    for layer in report.layers:
        if layer.op in ("reshape", "transpose", "slice", "expand", "concat", "pad"):
            continue
        agreement = layer.agreement
        table.add_row(
            str(layer.index),
            layer.op,
            layer.source[-32:],
            "x".join(map(str, layer.shape)),
            _interval(layer.real_range),
            _interval(layer.seen_range),
            str(layer.bits),
            "" if layer.weight_bits is None else str(layer.weight_bits),
            "" if layer.table is None else str(layer.table),
            "" if layer.table_rows is None else str(layer.table_rows),
            "" if agreement is None else f"{agreement.max_error:.2e}",
            "" if agreement is None else f"{agreement.mean_error:.2e}",
            "" if agreement is None else f"{agreement.cosine:.7f}",
        )
    return table


def output_table(report: CompileReport) -> Table:
    """Return one row per model output."""
    table = Table(title=f"integer program against float64, {report.samples} samples")
    for column in ("output", "max error", "mean error", "cosine", "min cosine", "top-1"):
        table.add_column(column, justify="left" if column == "output" else "right")
    for name, agreement in report.outputs.items():
        table.add_row(name, *_figures(agreement))
    return table


def summary(report: CompileReport) -> list[str]:
    """Return the lines that everybody should read, tables and picture aside."""
    lines = []
    for name, figures in report.outputs.items():
        top1 = "" if figures.top1 is None else f", top-1 {figures.top1:.2%}"
        lines.append(
            f"accuracy  {name}: max error {figures.max_error:.2e} of {figures.reach:.3g}, mean "
            f"{figures.mean_error:.2e}, cosine {figures.cosine:.6f}{top1} "
            f"({report.samples} samples, against float64)"
        )
    for kind, outside in report.outside.items():
        lines.append(
            f"outside   {outside.clamped} of {outside.elements} {kind} values "
            f"({outside.share:.4%}) lie outside the declared input range"
        )
    lines.append(f"tables    {report.num_tables}, {report.table_rows} rows")
    lines += [f"note      {note}" for note in report.notes]
    return lines


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.3g} .. {ends[1]:.3g}"


def _figures(agreement: Agreement) -> list[str]:
    top1 = "" if agreement.top1 is None else f"{agreement.top1:.4%}"
    return [
        f"{agreement.max_error:.3e}",
        f"{agreement.mean_error:.3e}",
        f"{agreement.cosine:.7f}",
        f"{agreement.min_cosine:.7f}",
        top1,
    ]


def draw(report: CompileReport, path: Path) -> None:
    """Draw the error per layer, as one PNG.

    Raises:
        ImportError: matplotlib is not installed (extra `compile`).
        InputError: the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("Agg")
    shown = [layer for layer in report.layers if layer.agreement is not None]
    figure = Figure(figsize=(max(6.0, 0.12 * len(shown) + 3), 4.2), layout="constrained")
    axes = figure.add_subplot()
    positions = range(len(shown))
    errors = [layer.agreement for layer in shown if layer.agreement is not None]
    axes.plot(positions, [max(e.max_error, 1e-12) for e in errors], "o-", ms=3, label="max error")
    axes.plot(positions, [max(e.mean_error, 1e-12) for e in errors], "s-", ms=3, label="mean error")
    axes.plot(
        positions, [max(1.0 - e.cosine, 1e-12) for e in errors], "^-", ms=3, label="1 - cosine"
    )
    axes.set_yscale("log")
    axes.set_xlabel("node")
    axes.set_ylabel("error against float64")
    if len(shown) <= 60:  # noqa: PLR2004  (more labels would overlap)
        axes.set_xticks(list(positions), [layer.op for layer in shown], rotation=90, fontsize=7)
    axes.set_title(f"{report.digest[:23]}…, precision {report.precision}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    try:
        figure.savefig(path, dpi=130, format="png")
    except OSError as error:
        raise InputError(f"cannot write the picture: {error.strerror}", str(path)) from error
