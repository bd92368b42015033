"""How an exported page looks, on a screen and on paper."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light; --ink: #1a1f26; --faint: #5c6670; --line: #d5dae0; --paper: #fff; --wash: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1.5rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 0; display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center; }
h3 { font-size: .8rem; margin: 1.2rem 0 .3rem; text-transform: uppercase; letter-spacing: .06em; color: var(--faint); }
header { border-bottom: 3px solid var(--ink); padding-bottom: 1rem; }
section { border-bottom: 1px solid var(--line); padding: 1.5rem 0; }
footer { padding: 1rem 0 3rem; color: var(--faint); }
p { margin: .3rem 0; }
time { font-variant-numeric: tabular-nums; }
.id, .nothing, header p { color: var(--faint); font-size: .87rem; }
.lost { border: 2px solid #b3261e; padding: .5rem .8rem; font-weight: 600; }
.outcome { border-radius: 1rem; padding: 0 .7rem; font-size: .87rem; background: #e7e9ec; }
.answered, .tool_call { background: #d9f0e0; }
.blocked, .replaced, .refused { background: #fde3c8; }
.failed, .abandoned, .denied, .invalid { background: #f9d7d5; }
dl { display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: .1rem 1rem; margin: .6rem 0; }
header dl { grid-template-columns: max-content 1fr; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .8rem; margin: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
td:nth-child(-n+2) { white-space: nowrap; }
th { color: var(--faint); font-weight: 500; white-space: nowrap; }
.said { border-left: 4px solid #8fa3b8; background: var(--wash); padding: .4rem .8rem; margin: .4rem 0; }
.said.before { border-color: var(--line); background: none; font-size: .87rem; color: #414a54; }
.said.answer { border-color: #2e7d4f; background: #f0f8f3; }
.said.withheld { border-color: #b3261e; background: #fdf3f2; }
.role { font-size: .78rem; color: var(--faint); }
.text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; margin: 0; }
pre.text, .tool pre { font: .87rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
mark { background: #ffe08a; }
@media print {
  @page { margin: 16mm; }
  body { margin: 0; max-width: none; padding: 0; font-size: 10pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3, .id { break-after: avoid; }
  dl, tr { break-inside: avoid; }
}
"""
