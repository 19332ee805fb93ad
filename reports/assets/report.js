// Menu, theme, search, sorting and the outline's marker. Without it every page still reads in full.
(function () {
  "use strict";
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));

  // -- menu on phones
  const menu = $(".menu");
  menu.addEventListener("click", () => {
    const open = $(".side").classList.toggle("open");
    menu.setAttribute("aria-expanded", String(open));
  });

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
  const fold = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  let index = null;
  const entries = () => {
    index = index || (window.searchIndex || []).map((e) => ({ ...e, title: fold(e.p), section: fold(e.s), text: fold(e.t) }));
    return index;
  };
  const find = (query) => {
    const terms = fold(query).split(/\s+/).filter(Boolean);
    if (!terms.length) return [];
    const found = [];
    for (const entry of entries()) {
      let score = 0;
      for (const term of terms) {
        const worth = (entry.section.includes(term) ? 6 : 0) + (entry.title.includes(term) ? 3 : 0) + (entry.text.includes(term) ? 1 + Math.min(3, entry.text.split(term).length - 1) / 3 : 0);
        if (!worth) { score = 0; break; }
        score += worth;
      }
      if (score) found.push([score, entry]);
    }
    return found.sort((a, b) => b[0] - a[0]).slice(0, 12).map((pair) => pair[1]);
  };
  const marked = (text, terms) => {
    // Marks are cut out of the plain text and set as text, so nothing in the index is read as HTML.
    const holder = document.createDocumentFragment();
    const pattern = new RegExp("(" + terms.map((t) => t.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|") + ")", "ig");
    text.split(pattern).forEach((part, i) => {
      if (i % 2) { const mark = document.createElement("mark"); mark.textContent = part; holder.append(mark); }
      else holder.append(part);
    });
    return holder;
  };
  const excerpt = (text, terms) => {
    const places = terms.map((t) => text.toLowerCase().indexOf(t.toLowerCase())).filter((p) => p >= 0);
    const start = places.length ? Math.max(0, Math.min(...places) - 40) : 0;
    return (start ? "… " : "") + text.slice(start, start + 130) + (text.length > start + 130 ? " …" : "");
  };
  input.addEventListener("input", () => {
    const query = input.value.trim();
    results.replaceChildren();
    if (query.length < 2) return;
    const found = find(query);
    const count = document.createElement("p");
    count.textContent = found.length ? (found.length === 12 ? "The best 12 places" : found.length + (found.length === 1 ? " place" : " places")) : "Nothing found.";
    const list = document.createElement("ol");
    const terms = query.split(/\s+/).filter(Boolean);
    for (const entry of found) {
      const link = document.createElement("a");
      link.href = entry.u;
      const head = document.createElement("b");
      head.append(marked(entry.s || entry.p, terms));
      const page = document.createElement("small");
      if (entry.s) page.append(entry.p + (entry.t ? ": " : ""));
      page.append(marked(excerpt(entry.t, terms), terms));
      link.append(head, page);
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    results.append(count, list);
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

  // -- tables sort by a click on a heading
  const value = (cell) => {
    const text = cell.textContent.trim();
    const number = parseFloat(text.replace(/−/g, "-").replace(/,/g, ""));
    return [Number.isNaN(number) || !/^[-−+]?[\d.]/.test(text) ? null : number, text];
  };
  all("table[data-sortable]").forEach((table) => {
    const body = table.tBodies[0];
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        Array.from(table.tHead.rows[0].cells).forEach((other) => other.removeAttribute("aria-sort"));
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
