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
  const called = (text) => make("bdi", {}, text); // a title runs in its own direction
  const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
  const counted = (n, one) => n + " " + one + (n === 1 ? "" : "s");
  const listing = (parts, between) => parts.flatMap((part, i) => [i ? between : "", ...[].concat(part)]);

  // -- parts that repeat
  const field = (text, control) => make("label", { className: "field" }, text, control);
  const fields = (...controls) => make("div", { className: "fields" }, ...controls);
  const select = (texts, chosen, properties) => make("select", properties, ...texts.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
  const finder = (kind, example, texts, choose) => {
    const box = make("input", { type: "search", autocomplete: "off", spellcheck: false, placeholder: example });
    const list = select(texts.map((text, i) => [i, text]), 0);
    const told = make("p", { role: "status" });
    box.addEventListener("input", () => {
      const before = list.value;
      const found = texts.map((text, i) => [i, text]).filter(([, text]) => fits(text, box.value));
      told.textContent = box.value ? (found.length ? found.length + " of " + texts.length + " found." : "No " + kind.toLowerCase() + " here fits.") : "";
      if (!found.length) return;
      list.replaceChildren(...found.map(([value, text]) => make("option", { value }, text)));
      list.value = found.some(([value]) => String(value) === before) ? before : String(found[0][0]);
      if (list.value !== before) choose(Number(list.value));
    });
    list.addEventListener("change", () => choose(Number(list.value)));
    return { box, list, told, labelled: [field("Search for a " + kind.toLowerCase(), box), field(kind, list)] };
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
  const marked = (kind, text) => make("span", { className: "mark " + kind }, text);

  // -- users and films of the sample
  const lookAround = (root, data, suffix) => {
    const title = (film) => data.films[film];
    const named = (film) => called(title(film));
    const listed = data.models.map((name, m) => m).filter((m) => data.users.some((user) => user.lists[m].length));
    const shown = new Set(data.shown);
    let user = data.users[0];
    let near = data.near[0];
    const mark = (film) => (user.marks[film] ? [marked(user.marks[film], data.marks[user.marks[film]])] : []);
    const asked = (film) => [make("button", { type: "button", title: "Why this film for this user", onclick: () => explain(film) }, named(film)), ...mark(film)];
    const thought = (liked) => (liked ? "liked" : "not liked");
    const rankOf = (m, film) => user.lists[m].indexOf(film) + 1;

    // -- one user
    const profile = make("p");
    const lists = make("div");
    const reason = make("div", { className: "reason", role: "status" });
    const explain = (film) => {
      const [close, genres, parts] = user.why[film];
      const by = listed.filter((m) => rankOf(m, film)).map((m) => data.models[m]);
      const added = parts.slice(1).map((value, i) => [data.inputs[i].replace("/", "’s "), value]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
      reason.replaceChildren(
        make("b", {}, named(film)),
        make("p", {}, ...(close.length ? ["Of the user’s films, rated most like it: ", ...listing(close.map(([one, liked]) => [named(one), " (" + thought(liked) + ")"]), "; "), "."] : ["No film of the user’s is rated like it."])),
        make("p", {}, genres.length ? "Genres shared with the user’s favourites: " + genres.join(", ") + "." : "It shares no genre with the user’s favourites."),
        ...(added.length ? [make("p", {}, "The two-tower network predicts " + parts.reduce((sum, one) => sum + one, 0).toFixed(2) + " stars: " + parts[0].toFixed(2) + " is its mean prediction, and to that add " + added.map(([name, value]) => "the " + name.replace("item", "film") + " " + (value < 0 ? "" : "+") + signed(value, 2)).join(", ") + ".")] : []),
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

    // -- two models side by side
    const pair = make("div");
    const found = make("p", { role: "status" });
    const first = select(data.models.map((text, m) => [m, text]), data.shown[0]);
    const second = select(data.models.map((text, m) => [m, text]), data.shown.length > 1 ? data.shown[1] : data.shown[0]);
    const spearman = (films, a, b) => {
      const order = (m) => films.slice().sort((x, y) => rankOf(m, x) - rankOf(m, y));
      const [one, other] = [order(a), order(b)];
      const n = films.length;
      return n < 3 ? null : 1 - (6 * films.reduce((sum, film) => sum + (one.indexOf(film) - other.indexOf(film)) ** 2, 0)) / (n * (n * n - 1));
    };
    const comparePair = () => {
      const both = [Number(first.value), Number(second.value)];
      const [a, b] = both;
      const common = user.lists[a].filter((film) => rankOf(b, film));
      const rho = spearman(common, a, b);
      const hits = both.map((m) => user.lists[m].filter((film) => user.marks[film] === "hit"));
      const error = (m) => (user.rmse[m] === null ? data.models[m] + " predicts no ratings" : "the RMSE of " + data.models[m] + " is " + user.rmse[m].toFixed(2));
      const outcome = (m, i) => data.models[m] + (listed.includes(m) ? " lists " + hits[i].length + " and misses " + (user.n_liked - hits[i].length) : " makes no lists");
      found.textContent = "Of " + counted(user.n_liked, "held-out film") + " that the user liked, " + both.map(outcome).join("; ") + "; "
        + hits[0].filter((film) => hits[1].includes(film)).length + " are in both lists. The lists share " + counted(common.length, "film") + (rho === null ? "." : ", in orders that correlate by " + signed(rho, 2) + ".");
      // Beside a film its place in the other list, where it is there too.
      const cell = (m, other, k) => {
        const film = user.lists[m][k];
        return film === undefined ? "–" : [...asked(film), ...(a !== b && rankOf(other, film) ? [marked("also", "also at " + rankOf(other, film))] : [])];
      };
      const longest = Math.max(user.lists[a].length, user.lists[b].length);
      const rows = Array.from({ length: longest }, (_, k) => [String(k + 1), cell(a, b, k), cell(b, a, k)]);
      // Held-out films that the page names: some of all, and those that any model lists; liked ones first.
      const held = new Map(user.held.concat(Object.entries(user.marks).filter(([, kind]) => kind !== "seen").map(([film, kind]) => [Number(film), Number(kind === "hit")])));
      const place = new Map(user.held.map(([film], i) => [film, i]));
      const told = (m, film, liked) => {
        const rank = rankOf(m, film);
        const predicted = place.has(film) && user.predicted[m].length ? [" predicted " + user.predicted[m][place.get(film)].toFixed(1)] : [];
        if (!listed.includes(m)) return predicted;
        return [rank ? marked(liked ? "hit" : "low", (liked ? "found at " : "listed at ") + rank) : marked(liked ? "miss" : "also", liked ? "missed" : "not listed"), ...predicted];
      };
      const outcomes = Array.from(held).sort((x, y) => y[1] - x[1]).map(([film, liked]) => [named(film), thought(liked), ...both.map((m) => told(m, film, liked))]);
      const names = both.map((m) => data.models[m]);
      const unnamed = user.n_test - held.size;
      pair.replaceChildren(
        table("The two lists", ["Rank", ...names], rows),
        make("h4", {}, "Held-out films: found and missed"),
        table("Held-out films: found and missed", ["Film", "The user", ...names], outcomes),
        make("p", {}, (unnamed ? counted(unnamed, "further held-out film") + (unnamed === 1 ? " is" : " are") + " in no model’s list and not named here. " : "") + "On all " + user.n_test + " held-out ratings " + (a === b ? error(a) : both.map(error).join("; ")) + ".")
      );
    };

    const showUser = () => {
      const genres = user.genres.length ? " Favourite genres: " + user.genres.join(", ") + "." : "";
      const best = user.best.length ? [" Rated best: ", ...listing(user.best.map(named), "; "), "."] : [];
      profile.replaceChildren(user.name[0].toUpperCase() + user.name.slice(1) + ": " + user.n_train + " training ratings; " + user.n_test + " held out." + genres, ...best);
      reason.replaceChildren("Choose a film of a list to see why it may be there.");
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

    const heading = (text, id) => make("h3", { id: "explorer-" + id + suffix }, text);
    const people = finder("User", "such as student", data.users.map((one) => one.name), (i) => { user = data.users[i]; showUser(); });
    const around = finder("Film", "words of the title", data.near.map((one) => title(one.film)), (i) => { near = data.near[i]; showFilm(); });
    root.append(
      heading("A user", "user"),
      fields(...people.labelled), people.told,
      profile,
      make("details", {}, make("summary", {}, "Choose the models"), boxes),
      lists, reason,
      heading("Two models side by side", "pair"),
      fields(field("First model", first), field("Second model", second)),
      found, pair,
      heading("Films near a film", "film"),
      fields(...around.labelled), around.told,
      films
    );
    showUser();
    showFilm();
  };

  // -- a reader's own ratings
  const HOW = {
    pairs: (model) => "Adds up the model’s weights from the films that you rated " + counting(model) + ".",
    vectors: (model) => "Multiplies each film’s vector with the mean of those that you rated " + counting(model) + ".",
    ridge: (model) => "Solves for the vector that the model would give you, all else held: a ridge regression on " + (model.offsets ? "your stars." : "which films you rated " + counting(model) + "."),
    mean: () => "How far your stars lie from what is expected, averaged over the films of yours that are rated most like a film.",
  };
  const counting = (model) => (model.least === null ? "(how many stars is not used)" : "with " + model.least + " stars or more");
  const rate = (root, data, suffix) => {
    const titles = data.rateable;
    const range = [data.values[0], data.values[data.values.length - 1]];
    const stars = (chosen, properties) => select(data.values.map((value) => [value, String(value)]), chosen, properties);
    let rated = new Map(data.example);
    const mine = make("ul", { className: "own" });
    const told = make("p", { role: "status" });
    const lists = make("div", { className: "for-you" });
    const film = finder("Film", "words of the title", titles, () => {});
    const given = stars(range[1]);

    const card = (name, how, places, beside) => make("section", {}, make("h4", {}, name), make("p", {}, how),
      places.length ? make("ol", {}, ...places.map((place) => make("li", {}, called(titles[place]), beside(place)))) : make("p", {}, "None of your ratings counts for it yet."));
    const showMine = () => mine.replaceChildren(...Array.from(rated, ([place, value]) => {
      const own = stars(value, { "aria-label": "Stars for " + titles[place] });
      own.addEventListener("change", () => { rated.set(place, Number(own.value)); showLists(); });
      const drop = make("button", { type: "button", "aria-label": "Remove " + titles[place] }, "Remove");
      drop.addEventListener("click", () => { rated.delete(place); renew(); film.box.focus(); });
      return make("li", {}, called(titles[place]), " ", own, " ", drop);
    }));
    const showLists = () => {
      const own = Array.from(rated);
      const cards = data.folded.map((model) => {
        const found = foldIn.scores(model, own, titles.length);
        const how = HOW[model.way === "sum" ? (model.pairs ? "pairs" : "vectors") : model.way](model) + (model.offsets ? " Beside a film the stars that it predicts." : "");
        // A prediction may lie outside the scale, by which films are told apart; it is shown within.
        const predicted = (place) => (model.offsets ? " " + Math.min(Math.max(found[place], range[0]), range[1]).toFixed(1) : "");
        return card(model.model, how, found ? foldIn.best(found, own, data.length) : [], predicted);
      });
      const popular = foldIn.best(titles.map((_, place) => -place), own, data.length);
      lists.replaceChildren(card("Most popular", "For comparison, the same for everybody: the most rated films, without yours.", popular, () => ""), ...cards);
      told.textContent = counted(own.length, "film") + " rated" + (own.length < 5 ? "; five make a start." : ".") + " The lists below are made of " + (own.length ? "these." : "nothing yet.");
    };
    const renew = () => { showMine(); showLists(); };
    const take = (ratings) => () => { rated = new Map(ratings); renew(); };
    const form = make("form", {}, fields(...film.labelled, field("Stars", given), make("button", {}, "Rate it")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      rated.set(Number(film.list.value), Number(given.value));
      renew();
    });
    const button = (text, click) => make("button", { type: "button", onclick: click }, text);
    root.append(
      form, film.told,
      make("h3", { id: "explorer-rated" + suffix }, "Your ratings"),
      mine, make("p", {}, button("Remove all", take([])), " ", button("The example again", take(data.example))),
      told,
      make("h3", { id: "explorer-made" + suffix }, "Each model’s list for you"),
      lists
    );
    renew();
  };

  document.querySelectorAll(".explorer").forEach((root, place) => {
    const without = root.querySelector(".without");
    if (!without) return; // a page with two explorers names this script twice
    without.remove();
    const data = JSON.parse(root.querySelector(".explorer-data").textContent);
    (data.rateable ? rate : lookAround)(root, data, place || "");
  });
})();
