// The explorer's controls. All answers lie in the page as data; text is set as text, so no title is read as HTML.
(function () {
  "use strict";
  const make = (name, properties, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) {
      if (key in element && key !== "list") element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const fits = (text, query) => fold(query).split(/\s+/).filter(Boolean).every((word) => fold(text).includes(word));

  document.querySelectorAll(".explorer").forEach((root, place) => {
    const data = JSON.parse(root.querySelector(".explorer-data").textContent);
    const title = (film) => data.films[film];
    const named = (film) => make("bdi", {}, title(film)); // a title runs in its own direction
    const listed = data.models.map((name, m) => m).filter((m) => data.users.some((user) => user.lists[m].length));
    const shown = new Set(data.shown);
    let user = data.users[0];
    let near = data.near[0];
    root.querySelector(".without").remove();

    // -- parts that repeat
    const field = (text, control) => make("label", { className: "field" }, text, control);
    const select = (texts, chosen) => make("select", {}, ...texts.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
    const finder = (kind, texts, choose) => {
      const box = make("input", { type: "search", autocomplete: "off", spellcheck: false, placeholder: kind === "user" ? "such as student" : "words of the title" });
      const list = select(texts.map((text, i) => [i, text]), 0);
      const none = make("p", { role: "status" });
      const apply = () => {
        const before = list.value;
        const found = texts.map((text, i) => [i, text]).filter(([, text]) => fits(text, box.value));
        none.textContent = box.value ? (found.length ? found.length + " of " + texts.length + " found." : "Nothing in this sample fits.") : "";
        if (!found.length) return;
        list.replaceChildren(...found.map(([value, text]) => make("option", { value }, text)));
        list.value = found.some(([value]) => String(value) === before) ? before : String(found[0][0]);
        if (list.value !== before) choose(Number(list.value));
      };
      box.addEventListener("input", apply);
      list.addEventListener("change", () => choose(Number(list.value)));
      return [make("div", { className: "fields" }, field("Search for a " + kind, box), field(kind === "user" ? "User" : "Film", list)), none];
    };
    const table = (name, head, rows) => {
      const cell = (tag, content) => make(tag, tag === "th" ? { scope: "col" } : {}, ...[].concat(content));
      const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((content) => cell("td", content)))));
      const whole = make("table", {}, make("thead", {}, make("tr", {}, ...head.map((content) => cell("th", content)))), body);
      whole.querySelectorAll("tr").forEach((row) => Array.from(row.cells).forEach((one) => {
        if (/^(Rank|[−\d.–]*)$/.test(one.textContent)) one.classList.add("number-cell");
      }));
      return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": name }, whole);
    };
    const mark = (film) => {
      const kind = user.marks[film] || "new";
      return kind === "new" ? [] : [make("span", { className: "mark " + kind }, data.marks[kind])];
    };
    const asked = (film) => [make("button", { type: "button", title: "Which of the user's films are rated most like it", onclick: () => explain(film) }, named(film)), ...mark(film)];

    // -- one user
    const profile = make("p");
    const lists = make("div");
    const reason = make("div", { className: "reason", role: "status" });
    const pair = make("div");
    const first = select(data.models.map((text, m) => [m, text]), data.shown[0]);
    const second = select(data.models.map((text, m) => [m, text]), data.shown.length > 1 ? data.shown[1] : data.shown[0]);
    const explain = (film) => {
      const [close, genres] = user.why[film];
      const by = listed.filter((m) => user.lists[m].includes(film)).map((m) => data.models[m]);
      reason.replaceChildren(
        make("b", {}, named(film)),
        make("p", {}, ...(close.length ? ["Of the user's films, rated most like it: ", ...close.flatMap(([one, opinion], i) => [i ? "; " : "", named(one), " (" + opinion + ")"]), "."] : ["No film of the user's is rated like it."])),
        make("p", {}, genres.length ? "Genres shared with the user's favourites: " + genres.join(", ") + "." : "It shares no genre with the user's favourites."),
        make("p", {}, "In the lists of " + by.length + " of " + listed.length + " models: " + by.join("; ") + ".")
      );
      reason.scrollIntoView({ block: "nearest" });
    };
    const showLists = () => {
      const models = Array.from(shown);
      const longest = Math.max(0, ...models.map((m) => user.lists[m].length));
      const rows = Array.from({ length: longest }, (_, k) => [String(k + 1), ...models.map((m) => (k < user.lists[m].length ? asked(user.lists[m][k]) : "–"))]);
      lists.replaceChildren(models.length ? table("Lists of the models for " + user.name, ["Rank", ...models.map((m) => data.models[m])], rows) : "Choose one or more models.");
    };
    const rankOf = (m, film) => user.lists[m].indexOf(film) + 1;
    const spearman = (films, a, b) => {
      const order = (m) => films.slice().sort((x, y) => rankOf(m, x) - rankOf(m, y));
      const [one, other] = [order(a), order(b)];
      const n = films.length;
      return n < 3 ? null : 1 - (6 * films.reduce((sum, film) => sum + (one.indexOf(film) - other.indexOf(film)) ** 2, 0)) / (n * (n * n - 1));
    };
    const comparePair = () => {
      const [a, b] = [Number(first.value), Number(second.value)];
      const both = user.lists[a].filter((film) => user.lists[b].includes(film));
      const [onlyA, onlyB] = [[a, b], [b, a]].map(([x, y]) => user.lists[x].filter((film) => !user.lists[y].includes(film)));
      const rho = spearman(both, a, b);
      const error = (m) => (user.rmse[m] === null ? data.models[m] + " predicts no ratings" : "RMSE of " + data.models[m] + " on the user's " + user.n_test + " held-out ratings: " + user.rmse[m].toFixed(2));
      const rows = [...both, ...onlyA, ...onlyB].map((film) => [asked(film), ...[a, b].map((m) => String(rankOf(m, film) || "–"))]);
      const held = user.held.map(([film, opinion], i) => [named(film), opinion, ...[a, b].map((m) => (user.predicted[m].length ? user.predicted[m][i].toFixed(1) : "–"))]);
      pair.replaceChildren(
        make("p", {}, both.length + (both.length === 1 ? " film" : " films") + " in both lists, " + onlyA.length + " only in the first, " + onlyB.length + " only in the second" + (rho === null ? ". " : "; rank correlation of the common ones " + rho.toFixed(2).replace("-", "−") + ". ") + (a === b ? error(a) : error(a) + "; " + error(b)) + "."),
        make("h4", {}, "Ranks in the two lists"),
        table("Ranks in the two lists", ["Film", data.models[a], data.models[b]], rows),
        make("h4", {}, "Held-out films and what was predicted" + (user.held.length < user.n_test ? " (" + user.held.length + " of " + user.n_test + ")" : "")),
        table("Held-out ratings and predictions", ["Film", "The user", data.models[a], data.models[b]], held)
      );
    };
    const showUser = () => {
      const best = user.best.flatMap((film, i) => [i ? "; " : " Rated best: ", named(film)]);
      const genres = user.genres.length ? " Favourite genres: " + user.genres.join(", ") + "." : "";
      profile.replaceChildren(user.name[0].toUpperCase() + user.name.slice(1) + ": " + user.n_train + " training ratings; " + user.n_test + " held out." + genres, ...best, best.length ? "." : "");
      reason.replaceChildren("Choose a film of a list to see which of the user's films are rated most like it.");
      showLists();
      comparePair();
    };
    const boxes = make("fieldset", {}, make("legend", {}, "Models shown"), ...listed.map((m) => {
      const box = make("input", { type: "checkbox", checked: shown.has(m) });
      box.addEventListener("change", () => { if (box.checked) shown.add(m); else shown.delete(m); showLists(); });
      return make("label", {}, box, " ", data.models[m]);
    }));
    first.addEventListener("change", comparePair);
    second.addEventListener("change", comparePair);

    // -- one film
    const films = make("div");
    const showFilm = () => {
      const longest = Math.max(0, ...near.near.map((items) => items.length));
      const rows = Array.from({ length: longest }, (_, k) => [String(k + 1), ...near.near.map((items) => (k < items.length ? named(items[k]) : "–"))]);
      films.replaceChildren(
        make("p", {}, named(near.film), ": " + (near.genres.join(", ") || "no genre known") + "; " + near.ratings + " training ratings."),
        table("Films near " + title(near.film), ["Rank", ...data.spaces], rows)
      );
    };

    const heading = (text, id) => make("h3", { id: "explorer-" + id + (place || "") }, text);
    root.append(
      heading("A user", "user"),
      ...finder("user", data.users.map((one) => one.name), (i) => { user = data.users[i]; showUser(); }),
      profile,
      make("details", {}, make("summary", {}, "Choose the models"), boxes),
      lists, reason,
      heading("Two models on this user", "pair"),
      make("div", { className: "fields" }, field("First model", first), field("Second model", second)),
      pair,
      heading("Films near a film", "film"),
      ...finder("film", data.near.map((one) => title(one.film)), (i) => { near = data.near[i]; showFilm(); }),
      films
    );
    showUser();
    showFilm();
  });
})();
