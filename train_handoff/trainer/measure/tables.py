"""What `evaluate` and `bench` found out, for a terminal. Imports no torch."""

from __future__ import annotations

from typing import Any


def evaluation(result: dict[str, Any]) -> str:
    """Loss, perplexity and bits per byte of each domain."""
    lines = [
        f"{result['checkpoint']} (step {result['step']:,}) on {result['on']}",
        f"{'domain':<20}{'windows':>10}{'tokens':>14}{'bytes':>14}{'loss':>9}{'perplexity':>13}{'bits/byte':>11}",
    ]
    for name, figures in [*result["domains"].items(), ("all", result["all"])]:
        size, bits = figures["bytes"], figures["bits_per_byte"]
        lines.append(
            f"{name:<20}{figures['windows']:>10,}{figures['tokens']:>14,}{'-' if size is None else f'{size:,}':>14}"
            f"{figures['loss']:>9.4f}{figures['perplexity']:>13,.2f}{'-' if bits is None else f'{bits:.4f}':>11}"
        )
    return "\n".join(lines)


def harness(result: dict[str, Any]) -> str:
    """Every figure of each task of lm-evaluation-harness, with its standard error where there is one."""
    lines = [
        f"{result['model']} by lm-evaluation-harness {result.get('lm_eval_version', '')}, "
        f"{'with' if result['bos'] else 'without'} BOS",
        f"{'task':<32}{'version':>8}{'shots':>7}{'questions':>11}  {'figure':<28}{'value':>10}{'+-':>9}",
    ]
    for task, figures in result["results"].items():
        asked = result.get("n-samples", {}).get(task, {}).get("effective", "-")
        shots, version = result.get("n-shot", {}).get(task, "-"), result.get("versions", {}).get(task, "-")
        for name, value in figures.items():
            measure, comma, kind = name.partition(",")
            if not comma or measure.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = figures.get(f"{measure}_stderr,{kind}")
            shown = f"{error:.4f}" if isinstance(error, float) else "-"
            label = measure if kind == "none" else f"{measure} ({kind})"
            lines.append(f"{task:<32}{version!s:>8}{shots!s:>7}{asked!s:>11}  {label:<28}{value:>10.4f}{shown:>9}")
    return "\n".join(lines)


def measurement(result: dict[str, Any]) -> str:
    """Rates, memory, and where the time of a step goes."""
    step, split = result["step_seconds"], result["split_seconds"]
    mfu = "n/a (the peak of this device and type is not known)" if result["mfu"] is None else f"{result['mfu']:.1%}"
    lines = [
        f"model {result['model']}: {result['parameters']:,} parameters, {result['dtype']}, on {result['processes']} "
        f"process(es) of {result['device']}",
        f"step: {result['batch_rows']:,} rows of {result['seq_len']:,} tokens ({result['data']}), "
        f"{result['micro_rows']} a process at a time; {result['steps']} steps after {result['warmup']} to warm up",
        f"tokens/s         {result['tokens_per_second']:>14,.0f}   "
        f"({result['tokens_per_second_per_process']:,.0f} a process)",
        f"TFLOP/s          {result['tflops_per_process']:>14,.3f}   a process",
        f"MFU              {mfu:>14}",
        f"peak memory      {result['peak_memory_bytes'] / 1e9:>14,.2f}   GB of the {result['peak_memory_of']}",
        f"seconds a step   {step['mean']:>14,.4f}   (median {step['median']:.4f}, longest {step['max']:.4f})",
    ]
    for name, label in (
        ("data", "waiting for data"),
        ("forward_backward", "forward, backward"),
        ("optimizer", "clip, optimizer"),
    ):
        lines.append(f"  {label:<18}{split[name]:>11,.4f}   {split[name] / step['mean']:.1%}")
    if split["communication"] is not None:
        lines.append(f"  {'communication':<18}{split['communication']:>11,.4f}   in these two, partly while computing")
    return "\n".join(lines)
