package chart

// CSS is the style sheet of every Tandem page: variables for light and dark,
// typography, tables, cards, badges, charts and print. Put it in a <style>
// element of a self-contained page, or serve it as a file.
//
// It follows the reader's system; <html data-theme="light"> or "dark" forces
// one. Use the variables, never colours: --paper and --raised (backgrounds),
// --ink and --muted (text), --rule and --grid (lines), --accent, --second,
// --third, --fourth (series), --good, --warn, --bad (states, always with a
// word beside them), --up and --down (direction of a contribution).
//
// Classes: .page (the column everything stands in), .cards with .card,
// .figures with .figure (a headline number: b is the number, span its name,
// small its interval), .badge with .good .warn .bad, .alert with .high
// .medium .low, .num (right-aligned tabular figures), .scroll (around a wide
// table), .muted, .lead (the paragraph that matters), .toc.
const CSS = `:root{` + light + `color-scheme:light}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){` + dark + `color-scheme:dark}}
:root[data-theme=dark]{` + dark + `color-scheme:dark}
` + base + charts + printed

const light = `--paper:#fbfbfa;--raised:#ffffff;--ink:#1d2125;--muted:#5b636b;--rule:#d8dbde;--grid:#e9ebed;` +
	`--accent:#1f5f99;--soft:#a9c6e0;--second:#b2500f;--third:#2f7d4f;--fourth:#7a4fa3;` +
	`--good:#226f43;--warn:#855a00;--bad:#b02a24;--good-bg:#e6f3ea;--warn-bg:#fbf0d9;--bad-bg:#fbe7e5;--up:#b2500f;--down:#1f5f99;`

const dark = `--paper:#15181b;--raised:#1c2024;--ink:#e4e7ea;--muted:#9da6ae;--rule:#363c42;--grid:#2a2f34;` +
	`--accent:#7db4e6;--soft:#3a5f82;--second:#eda15f;--third:#7cc796;--fourth:#c2a0e6;` +
	`--good:#84cc9d;--warn:#e2b65c;--bad:#f2938c;--good-bg:#1d3326;--warn-bg:#372c14;--bad-bg:#3f2220;--up:#eda15f;--down:#7db4e6;`

const base = `*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
.page{max-width:1080px;margin:0 auto;padding:28px 20px 56px}
h1{font-size:26px;line-height:1.2;font-weight:650;margin:0 0 4px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:18px;line-height:1.3;font-weight:650;margin:40px 0 10px;padding-top:14px;border-top:1px solid var(--rule)}
h3{font-size:15px;line-height:1.35;font-weight:650;margin:0 0 6px;overflow-wrap:anywhere}
h2+h3{margin-top:0}
p{margin:0 0 10px;max-width:72ch}
ul,ol{margin:0 0 10px;padding-left:20px;max-width:76ch}
li{margin:2px 0}
a{color:var(--accent)}
a:focus-visible,summary:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
code,pre,.mono{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
pre{overflow-x:auto;padding:10px 12px;background:var(--raised);border:1px solid var(--rule);border-radius:6px}
.muted,small{color:var(--muted)}
small{font-size:13px}
.lead{font-size:17px;line-height:1.55;max-width:70ch;margin:14px 0 18px}
.toc{display:flex;flex-wrap:wrap;gap:2px 16px;margin:14px 0 0;padding:0;list-style:none;max-width:none;font-size:14px}
.wrap{overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:14px;margin:0 0 12px}
caption{text-align:left;color:var(--muted);font-size:13px;padding:0 0 6px}
th,td{padding:5px 14px 5px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th:last-child,td:last-child{padding-right:0}
thead th{font-weight:600;color:var(--muted);font-size:13px;border-bottom:1px solid var(--rule);vertical-align:bottom}
tbody th{font-weight:500;overflow-wrap:anywhere;min-width:12ch}
td.prose{min-width:28ch}
td.num,th.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.chosen th,tr.chosen td{font-weight:650}
.scroll{overflow-x:auto}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:14px}
.card{background:var(--raised);border:1px solid var(--rule);border-radius:8px;padding:14px 16px;min-width:0;break-inside:avoid}
.card>:last-child{margin-bottom:0}
.card>p{font-size:14px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;margin:0 0 14px}
.figure{background:var(--raised);border:1px solid var(--rule);border-radius:8px;padding:10px 14px;min-width:0}
.figure span{display:block;font-size:13px;color:var(--muted)}
.figure b{display:block;font-size:24px;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.figure small{display:block;line-height:1.4}
.badge{display:inline-block;font-size:12px;line-height:1.5;font-weight:600;padding:0 7px;border-radius:4px;border:1px solid var(--rule);color:var(--muted);white-space:nowrap}
.badge.good{color:var(--good);background:var(--good-bg);border-color:transparent}
.badge.warn{color:var(--warn);background:var(--warn-bg);border-color:transparent}
.badge.bad{color:var(--bad);background:var(--bad-bg);border-color:transparent}
.alerts{list-style:none;padding:0;max-width:none}
.alert{border-left:3px solid var(--rule);padding:2px 0 2px 12px;margin:0 0 12px}
.alert.high{border-color:var(--bad)}
.alert.medium{border-color:var(--warn)}
.alert p{margin:0}
dl.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 16px;margin:0 0 12px;font-size:14px}
dl.facts dt{color:var(--muted)}
dl.facts dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
summary{cursor:pointer;color:var(--accent);font-size:14px}
button,.button{font:inherit;color:var(--ink);background:var(--raised);border:1px solid var(--rule);border-radius:6px;padding:5px 12px;cursor:pointer;text-decoration:none}
button.primary{background:var(--accent);border-color:var(--accent);color:var(--paper)}
input,select,textarea{font:inherit;color:var(--ink);background:var(--raised);border:1px solid var(--rule);border-radius:6px;padding:5px 8px;max-width:100%}
footer{margin-top:44px;padding-top:12px;border-top:1px solid var(--rule);font-size:13px;color:var(--muted)}
@media (max-width:560px){.page{padding:18px 14px 40px}h1{font-size:22px}.lead{font-size:16px}.figures{grid-template-columns:1fr 1fr}.figure b{font-size:20px}}
`

const charts = `.chart{display:block;max-width:100%;height:auto;margin:4px 0 8px}
td .chart{margin:0}
.chart text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;fill:var(--muted);font-variant-numeric:tabular-nums}
.chart .ink{fill:var(--ink)}
.chart .halo{paint-order:stroke;stroke:var(--raised);stroke-width:3px}
.chart .e{text-anchor:end}
.chart .m{text-anchor:middle}
.chart .bar{fill:var(--accent)}
.chart .bar.soft{fill:var(--soft)}
.chart .up{fill:var(--up)}
.chart .down{fill:var(--down)}
.chart path{fill:none;stroke-width:1}
.chart .grid{stroke:var(--grid)}
.chart .axis{stroke:var(--rule)}
.chart .whisker{stroke:var(--ink)}
.chart .base{stroke:var(--muted);stroke-dasharray:4 3}
.chart .line{stroke-width:2;stroke-linejoin:round}
.chart .line.thin{stroke-width:1}
.chart .band{opacity:.16}
.chart .line.s1{stroke:var(--accent)}
.chart .line.s2{stroke:var(--second);stroke-dasharray:10 3}
.chart .line.rate{stroke:var(--second);stroke-width:1.6}
.chart .line.s3{stroke:var(--third);stroke-dasharray:6 3}
.chart .line.s4{stroke:var(--fourth);stroke-dasharray:2 3}
.chart .band.s1,.chart .dot.s1{fill:var(--accent)}
.chart .band.s2,.chart .dot.s2,.chart text.s2{fill:var(--second)}
.chart .band.s3,.chart .dot.s3{fill:var(--third)}
.chart .band.s4,.chart .dot.s4{fill:var(--fourth)}
.chart path.heat{stroke:none}
.chart .heat.pos{fill:var(--accent)}
.chart .heat.neg{fill:var(--second)}
.chart .h1{opacity:.1}.chart .h2{opacity:.2}.chart .h3{opacity:.3}.chart .h4{opacity:.4}.chart .h5{opacity:.5}.chart .h6{opacity:.6}.chart .h7{opacity:.7}.chart .h8{opacity:.8}.chart .h9{opacity:.9}
.chart text.cell{fill:var(--ink);font-size:11px}
.chart text.cell.on{fill:var(--ink);paint-order:stroke;stroke:var(--raised);stroke-width:3px}
`

const printed = `@media print{:root:root{` + light + `--paper:#fff;color-scheme:light}
body{font-size:10.5pt}.page{max-width:none;padding:0}h2{break-after:avoid}.card,.figure,tr,.alert{break-inside:avoid}.toc,button{display:none}a{color:inherit;text-decoration:none}.chart *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`
