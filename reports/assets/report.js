// Menu, theme, search, terms, tables and the outline's marker. Without it every page still reads in full.
(function () {
  "use strict";
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const quoted = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const glossary = window.glossary || { page: "", terms: [] };
  const called = (term) => "term-" + term.toLowerCase().replace(/[^a-z0-9+]+/g, "-");
  const meaning = ({ t, m, u, p }) => [make("b", {}, t), m + " ",
    ...[[u, p], [glossary.page && glossary.page + "#" + called(t), "Glossary"]].filter(([href]) => href).map(([href, text]) => make("a", { href }, text))];

  // -- menu on phones
  const menu = $(".menu");
  menu.addEventListener("click", () => {
    const open = $(".side").classList.toggle("open");
    menu.setAttribute("aria-expanded", String(open));
  });

  // -- where the page stands in the report
  const here = $("#contents a[aria-current]");
  if (here && here.offsetTop > $(".side").clientHeight - 60) $(".side").scrollTop = here.offsetTop - 200;

  // -- theme: as the system, light, dark
  const theme = $(".theme");
  const words = { "": "as the system", light: "light", dark: "dark" };
  const show = () => { theme.querySelector("span").textContent = words[document.documentElement.dataset.theme || ""]; };
  theme.hidden = false;
  show();
  theme.addEventListener("click", () => {
    const order = ["", "light", "dark"];
    const next = order[(order.indexOf(document.documentElement.dataset.theme || "") + 1) % 3];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try { if (next) localStorage.setItem("theme", next); else localStorage.removeItem("theme"); } catch (error) { /* kept for this page only */ }
    show();
  });

  // -- search
  const input = $("#search");
  const results = $("#search-results");
  // Accents and the two spellings of English don't matter: factorisation and factorization, neighbour and neighbor.
  const fold = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase()
    .replace(/[^\p{L}\p{N}+@]+/gu, " ").replace(/is(?=ation|e|ing)/g, "iz").replace(/our/g, "or").replace(/ogue/g, "og").replace(/ll(?=ed|ing|er)/g, "l");
  let index = null;
  const entries = () => {
    index = index || (window.searchIndex || []).map((e) => ({ ...e, title: fold(e.p), section: fold(e.s), text: fold(e.t) }));
    return index;
  };
  // A query that holds a name of a term of the glossary, or is part of one, asks for its other names too.
  const has = (text, part) => (" " + text + " ").includes(" " + part + " ");
  const asked = (query) => {
    const others = glossary.terms.flatMap(({ n }) => {
      const names = n.map(fold);
      const held = names.filter((name) => has(query, name)).sort((a, b) => b.length - a.length)[0];
      return held || names.some((name) => has(name, query)) ? names.map((name) => query.replace(held || query, name)) : [];
    });
    return [...new Set([query, ...others])].map((text) => text.split(/\s+/).filter(Boolean));
  };
  // How well an entry fits: pages come before sections, these before texts, and captions last.
  const worth = (entry, terms) => {
    // A short one has to begin a word: MF is not what NeuralMF is about.
    const within = (text) => terms.every((term) => (term.length > 3 ? text : " " + text).includes(term.length > 3 ? term : " " + term));
    if (!within(entry.title + " " + entry.section + " " + entry.text)) return 0;
    const tier = entry.c ? 1 : !entry.s && within(entry.title) ? 4 : within(entry.section) ? 3 : 2;
    const times = terms.reduce((sum, term) => sum + Math.min(9, entry.text.split(term).length - 1), 0);
    return tier * 100 + (within(entry.section) ? 20 : 0) + (within(entry.title) ? 10 : 0) + times / terms.length;
  };
  const find = (query) => {
    const ways = asked(fold(query).trim());
    if (!ways[0].length) return [];
    // What was typed goes before its synonyms, and of equals what stands earlier in the report.
    const score = (entry) => Math.max(...ways.map((terms, i) => worth(entry, terms) * (i ? 0.75 : 1)));
    const found = entries().map((entry) => [score(entry), entry]).filter(([points]) => points).sort((a, b) => b[0] - a[0]).map((pair) => pair[1]);
    // A section that has tabs is named once.
    const places = new Set(found.map((entry) => entry.u.split("#")[0] + entry.s));
    return found.filter((entry) => !entry.f || !places.has(entry.f + entry.s)).slice(0, 12);
  };
  const marked = (text, terms) => {
    // Marks are cut out of the plain text and set as text, so nothing in the index is read as HTML.
    const pattern = new RegExp("(" + terms.map((t) => quoted(t).replace(/[sz]/g, "[sz]")).join("|") + ")", "ig");
    return text.split(pattern).map((part, i) => (i % 2 ? make("mark", {}, part) : part));
  };
  const excerpt = (text, terms) => {
    const places = terms.map((t) => text.toLowerCase().indexOf(t.toLowerCase())).filter((p) => p >= 0);
    const start = places.length ? Math.max(0, Math.min(...places) - 40) : 0;
    return (start ? "… " : "") + text.slice(start, start + 130) + (text.length > start + 130 ? " …" : "");
  };
  input.addEventListener("input", () => {
    const query = input.value.trim();
    results.replaceChildren();
    $(".side").scrollTop = 0;
    if (query.length < 2) return;
    const found = find(query);
    const terms = query.split(/\s+/).filter(Boolean);
    const said = found.length === 12 ? "The best 12 places" : found.length + (found.length === 1 ? " place" : " places");
    const meant = glossary.terms.filter(({ n }) => n.some((name) => fold(name) === fold(query)));
    results.append(...meant.map((term) => make("div", { className: "definition" }, ...meaning(term))));
    results.append(make("p", {}, found.length ? said : "Nothing found."), make("ol", {}, ...found.map((entry) => {
      const page = make("small", {}, entry.s ? entry.p + (entry.t ? ": " : "") : "", ...marked(excerpt(entry.t, terms), terms));
      return make("li", {}, make("a", { href: entry.u }, make("b", {}, ...marked(entry.s || entry.p, terms)), page));
    })));
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { input.value = ""; results.replaceChildren(); }
    if (event.key === "Enter") { const first = results.querySelector("a"); if (first) first.click(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      $(".side").classList.add("open");
      menu.setAttribute("aria-expanded", "true");
      input.focus();
    }
  });

  // -- tables: sorted by a click on a heading, filtered by what their columns tell apart, cards on a phone
  const value = (cell) => {
    const text = cell.textContent.trim();
    const plain = text.replace(/−/g, "-").replace(/,(?=\d{3})/g, "").replace(/^≤ /, "");
    const time = /^(\d+) min (\d+) s$/.exec(plain);
    const number = time ? 60 * time[1] + Number(time[2]) : /^[-+]?[\d.]/.test(plain) ? parseFloat(plain) : NaN;
    return [Number.isNaN(number) ? null : number, text];
  };
  all("table[data-sortable]").forEach((table) => {
    const body = table.tBodies[0];
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = make("button", { type: "button", title: "Sort by this column" }, ...head.childNodes);
      if (!button.textContent.trim()) return;
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = Array.from(body.rows).map((row) => [value(row.cells[column]), row]);
        rows.sort(([[a, s]], [[b, t]]) => {
          if (a === null && b === null) return up ? s.localeCompare(t) : t.localeCompare(s);
          if (a === null) return 1;
          if (b === null) return -1;
          return up ? a - b : b - a;
        });
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  });

  const FILTERED = ["Setting", "Split", "Data set", "Project", "Family", "Verdict"];
  const METRIC = /^(RMSE|MAE|nDCG|Precision|Recall|MRR|Coverage)\b/; // "RMSE spread" goes with RMSE
  all("table[data-sortable]").filter((table) => table.tBodies[0].rows.length >= 12).forEach((table) => {
    const rows = Array.from(table.tBodies[0].rows);
    const shown = make("output");
    const chosen = new Map();
    const names = Array.from(table.tHead.rows[0].cells, (head) => head.textContent.replace(/\u00ad/g, "").trim());
    const metrics = names.map((name) => (METRIC.exec(name) || [""])[0]);
    let metric = "";
    const apply = () => {
      const lacks = (row) => metric && row.cells[metrics.indexOf(metric)].textContent === "–";
      rows.forEach((row) => { row.hidden = lacks(row) || [...chosen].some(([column, text]) => text && row.cells[column].textContent !== text); });
      [table.tHead.rows[0], ...rows].forEach((row) => metrics.forEach((of, column) => { row.cells[column].hidden = metric && of && of !== metric; }));
      const left = rows.filter((row) => !row.hidden).length;
      shown.textContent = left < rows.length ? left + " of " + rows.length + " rows" : "";
    };
    const field = (name, texts, choose) => {
      const select = make("select", {}, make("option", { value: "" }, "all"), ...texts.map(([value, text]) => make("option", { value }, text)));
      select.addEventListener("change", () => { choose(select.value); apply(); });
      return make("label", {}, name, select);
    };
    const fields = names.flatMap((name, column) => {
      const texts = [...new Set(rows.map((row) => row.cells[column].textContent))];
      if (!FILTERED.includes(name) || texts.length < 2 || texts.length > 15) return [];
      return [field(name, texts.filter((text) => text.trim()).map((text) => [text, text]), (text) => chosen.set(column, text))];
    });
    const measured = [...new Set(metrics)].filter(Boolean);
    if (names.includes("Split") && measured.length > 1) {
      fields.push(field("Metric", measured.map((of) => [of, names[metrics.indexOf(of)]]), (of) => {
        metric = of;
        if (!of) return;
        const head = table.tHead.rows[0].cells[metrics.indexOf(of)];
        head.setAttribute("aria-sort", /MAE|RMSE/.test(of) ? "" : "ascending"); // the best goes on top
        head.firstChild.click();
      }));
    }
    if (fields.length) table.parentElement.before(make("div", { className: "filters" }, ...fields, shown));
  });

  const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  const phone = window.matchMedia("(max-width: 40rem)");
  const fit = () => {
    // A long formula scrolls, and what scrolls has to be in reach of the keyboard.
    all('math[display="block"]').forEach((formula) => {
      if (formula.scrollWidth > formula.clientWidth) formula.setAttribute("tabindex", "0");
      else formula.removeAttribute("tabindex");
    });
    all("main table").forEach(asCards);
  };
  const asCards = (table) => {
    const box = table.parentElement;
    table.classList.remove("cards");
    if (!phone.matches || !table.tHead || box.scrollWidth <= box.clientWidth + 1) return;
    const labels = Array.from(table.tHead.rows[0].cells, (head) => head.textContent.replace(/\u00ad/g, "").trim());
    // A row that is laid out as a card is a row of a table still, to those who hear it.
    [table, ...table.querySelectorAll("thead, tbody, tr, td, th")].forEach((one) => {
      one.setAttribute("role", ROLES[one.tagName] || (one.closest("thead") ? "columnheader" : "rowheader"));
    });
    Array.from(table.tBodies[0].rows).forEach((row) => Array.from(row.cells).forEach((cell, column) => {
      if (labels[column] && (column || cell.tagName === "TD")) cell.dataset.label = labels[column];
      cell.classList.toggle("blank", column > 0 && /^–?$/.test(cell.textContent.trim()));
    }));
    table.classList.add("cards");
  };
  fit();
  phone.addEventListener("change", fit);
  all(".explorer").forEach((root) => new MutationObserver(fit).observe(root, { childList: true, subtree: true }));

  // -- terms of the field: where a page first uses one, its meaning
  const bubble = make("span", { className: "meaning", role: "note", hidden: true });
  let open = null; // the button whose meaning is shown
  let pinned = false; // by a click or a tap: stays until another one, or Escape
  let leaving = 0;
  const close = () => {
    if (open) open.setAttribute("aria-expanded", "false");
    open = null;
    pinned = false;
    bubble.hidden = true;
  };
  const explain = (button, term) => {
    clearTimeout(leaving);
    if (open === button) return;
    close();
    open = button;
    button.setAttribute("aria-expanded", "true");
    bubble.replaceChildren(...meaning(term));
    button.after(bubble); // so that a keyboard and a reader's voice come to it next
    bubble.hidden = false;
    bubble.style.left = bubble.style.top = "0";
    const [place, origin] = [[...button.getClientRects()].pop(), bubble.getBoundingClientRect()];
    bubble.style.left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - origin.width - 16)) - origin.left + "px";
    bubble.style.top = place.bottom + 5 - origin.top + "px";
  };
  const later = () => { if (!pinned) leaving = setTimeout(close, 250); };
  bubble.addEventListener("pointerenter", () => clearTimeout(leaving));
  bubble.addEventListener("pointerleave", later);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  const elsewhere = (event) => { if (open && event.target !== open && !bubble.contains(event.target)) close(); };
  document.addEventListener("pointerdown", elsewhere);
  document.addEventListener("focusin", elsewhere);
  const named = (term, word) => {
    // No button element: that would not break over lines as words do.
    const button = make("span", { className: "term", role: "button", tabIndex: 0 }, word);
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); button.click(); }
    });
    button.addEventListener("click", () => {
      if (open === button && pinned) close();
      else { explain(button, term); pinned = true; }
    });
    button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") explain(button, term); });
    button.addEventListener("pointerleave", later);
    return button;
  };
  // Abbreviations are told by their capitals; of other words the first letter may be either.
  const spelt = (name) => (/^[A-Z]?[^A-Z]*$/.test(name) ? quoted(name).replace(/^[a-z]/i, (letter) => "[" + letter.toLowerCase() + letter.toUpperCase() + "]") : quoted(name)).replace(/ /g, "\\s+");
  const names = new Map(glossary.terms.flatMap((term) => term.n.map((name) => [name.toLowerCase(), term])));
  const pattern = new RegExp("(?<![\\w-])(" + [...new Set(glossary.terms.flatMap((term) => term.n))].sort((a, b) => b.length - a.length).map(spelt).join("|") + ")(?![\\w+]|-\\w)");
  if (glossary.page && location.pathname.endsWith("/" + glossary.page)) {
    all(".prose li > strong:first-child").forEach((term) => { term.parentElement.id = called(term.textContent.replace(/\.$/, "")); });
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) target.scrollIntoView();
  } else if (names.size) {
    const told = new Set();
    all(".prose p, .prose li, .lead p").forEach((block) => {
      const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
      const texts = [];
      while (walker.nextNode()) if (!walker.currentNode.parentElement.closest("a, code, math, .explorer")) texts.push(walker.currentNode);
      texts.forEach((text) => {
        let rest = text;
        let from = 0;
        for (let found; (found = pattern.exec(rest.data.slice(from))); ) {
          const term = names.get(found[1].toLowerCase().replace(/\s+/g, " "));
          const start = from + found.index;
          from = start + found[1].length;
          if (!term || told.has(term)) continue;
          told.add(term);
          const word = rest.splitText(start);
          rest = word.splitText(found[1].length);
          from = 0;
          word.replaceWith(named(term, word.data));
        }
      });
    });
  }

  // -- figures that name what is under the pointer
  all("script.points").forEach((script) => {
    const points = JSON.parse(script.textContent);
    const image = script.parentElement.querySelector("img");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    script.parentElement.append(tip);
    const tell = (event) => {
      const box = image.getBoundingClientRect();
      const x = event.clientX - box.left;
      const y = event.clientY - box.top;
      let best = null;
      let least = 14 * 14;
      for (const [px, py, text] of points) {
        const distance = (px * box.width - x) ** 2 + (py * box.height - y) ** 2;
        if (distance < least) { least = distance; best = [px * box.width, py * box.height, text]; }
      }
      tip.hidden = !best;
      if (!best) return;
      tip.textContent = best[2];
      const left = Math.min(Math.max(best[0] + image.offsetLeft - tip.offsetWidth / 2, 4), script.parentElement.clientWidth - tip.offsetWidth - 4);
      tip.style.left = left + "px";
      tip.style.top = best[1] + image.offsetTop - tip.offsetHeight - 8 + "px";
    };
    image.addEventListener("pointermove", tell);
    image.addEventListener("pointerdown", tell);
    image.addEventListener("pointerleave", () => { tip.hidden = true; });
  });

  // -- all code at once, and folds that a link or the printer opens
  const button = $(".all-code");
  const folds = all("details.code");
  if (button && folds.length) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const open = button.textContent === "Show all code";
      folds.forEach((fold) => { fold.open = open; });
      button.textContent = open ? "Hide all code" : "Show all code";
    });
  }
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  window.addEventListener("hashchange", unfold);
  unfold();

  // -- where the reader is
  const links = new Map(all("#on-this-page a").map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  if (links.size && "IntersectionObserver" in window) {
    const heads = Array.from(links.keys()).map((id) => document.getElementById(id)).filter(Boolean);
    const mark = () => {
      const above = heads.filter((head) => head.getBoundingClientRect().top < 140);
      const here = above.length ? above[above.length - 1] : heads[0];
      links.forEach((link, id) => link.classList.toggle("here", id === here.id));
    };
    const observer = new IntersectionObserver(mark, { rootMargin: "0px 0px -70% 0px" });
    heads.forEach((head) => observer.observe(head));
    mark();
  }
})();
