"use strict";
(() => {
	const make = (name, text, parent) => { const e = document.createElement(name); e.textContent = text; parent.append(e); return e; };
	const figure = s => { const m = s.replace(/,/g, "").match(/-?\d+(\.\d+)?(e-?\d+)?\s*([kMBT]?)/); return m ? parseFloat(m[0]) * ({k: 1e3, M: 1e6, B: 1e9, T: 1e12}[m[3]] || 1) : NaN; };
	for (const table of document.querySelectorAll("table.sortable")) {
		const heads = [...table.tHead.rows[0].cells];
		heads.forEach((th, k) => {
			if (!th.textContent) return;
			const text = th.textContent;
			th.textContent = "";
			const b = make("button", text, th);
			b.className = "sort";
			b.title = "sort by " + text;
			b.addEventListener("click", () => {
				const down = th.getAttribute("aria-sort") !== "descending", number = th.classList.contains("num");
				heads.forEach(h => h.removeAttribute("aria-sort"));
				th.setAttribute("aria-sort", down ? "descending" : "ascending");
				const key = r => { const s = r.cells[k].textContent.trim(); return number ? figure(s) : s.toLowerCase(); };
				const rows = [...table.tBodies[0].rows].map(r => [key(r), r]);
				rows.sort(([a], [b]) => {
					if (number && (isNaN(a) || isNaN(b))) return isNaN(a) - isNaN(b);
					const d = a < b ? -1 : a > b ? 1 : 0;
					return number === down ? -d : d;
				});
				table.tBodies[0].append(...rows.map(r => r[1]));
			});
		});
	}
	for (const table of document.querySelectorAll("table.filter")) {
		if (table.tBodies[0].rows.length < 8) continue;
		const label = document.createElement("label");
		label.className = "filter muted";
		label.append("Show columns that contain ");
		const input = document.createElement("input");
		input.type = "search";
		label.append(input);
		table.parentElement.before(label);
		input.addEventListener("input", () => {
			const want = input.value.toLowerCase();
			for (const r of table.tBodies[0].rows) r.hidden = !r.textContent.toLowerCase().includes(want);
			for (const c of document.querySelectorAll("#each + .cards > .card")) c.hidden = !c.querySelector("h3").textContent.toLowerCase().includes(want);
		});
	}
	for (const svg of document.querySelectorAll(".card > svg")) {
		const card = svg.closest(".card"), b = document.createElement("button");
		b.className = "zoom";
		b.textContent = "larger";
		b.addEventListener("click", () => { b.textContent = card.classList.toggle("zoomed") ? "smaller" : "larger"; });
		svg.after(b);
	}
	for (const pre of document.querySelectorAll("pre.step")) {
		const b = document.createElement("button");
		b.className = "copy";
		b.textContent = "copy";
		b.addEventListener("click", async () => {
			const range = document.createRange();
			range.selectNodeContents(pre);
			getSelection().removeAllRanges();
			getSelection().addRange(range);
			try { await navigator.clipboard.writeText(pre.textContent); b.textContent = "copied"; } catch { b.textContent = "selected"; }
		});
		pre.after(b);
	}
})();
