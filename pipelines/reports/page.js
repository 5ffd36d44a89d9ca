// Draws the learning curves of #data into the .plot elements, in the order of its environments.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const plots = [...document.querySelectorAll(".plot")];
  const shown = { metric: data.metric, axis: data.axis, logX: false, logY: false, seeds: true };
  const hidden = new Set(); // Groups, of any chart.
  const FEW = 30; // So many points of a curve are marked.

  // Numbers.

  /** A number as short as its size allows; `size` is the greatest of those beside it. */
  const short = (value, size = Math.abs(value)) => {
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)} k`;
    return String(+value.toPrecision(size >= 1000 ? 4 : 3));
  };

  const greatest = (values) => Math.max(...values.map(Math.abs));

  /** Maps [low, high] to [from, to]; `ticks` are round numbers between them. */
  const scale = (low, high, from, to, log, most) => {
    const f = log ? Math.log10 : (v) => v;
    const place = (v) => from + ((f(v) - f(low)) / (f(high) - f(low) || 1)) * (to - from);
    const value = (p) => {
      const v = f(low) + ((p - from) / (to - from)) * (f(high) - f(low));
      return log ? 10 ** v : v;
    };
    return { place, value, ticks: log ? logTicks(low, high) : linearTicks(low, high, most) };
  };

  const linearTicks = (low, high, most) => {
    const raw = (high - low) / most || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * (1 - 1e-9));
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  };

  const logTicks = (low, high) => {
    const wide = Math.log10(high / low) > 2;
    const found = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
      for (const m of wide ? [1] : [1, 2, 5]) found.push(m * 10 ** e);
    }
    return found.filter((v) => v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9));
  };

  /** Places moved as little as it takes to be `gap` apart, between low and high. */
  const apart = (places, gap, low, high) => {
    const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
    const moved = order.map((i) => Math.max(low, places[i]));
    for (let i = 1; i < moved.length; i++) moved[i] = Math.max(moved[i], moved[i - 1] + gap);
    for (let i = moved.length - 1; i >= 0; i--) {
      moved[i] = Math.min(moved[i], high - (moved.length - 1 - i) * gap);
    }
    const found = [];
    order.forEach((i, rank) => (found[i] = moved[rank]));
    return found;
  };

  // Drawing.

  const element = (name, attributes, parent, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };

  const html = (name, parent, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    parent.append(made);
    return made;
  };

  /** The curves of the metric and axis that are chosen, and not hidden. */
  const chosen = (environment) =>
    environment.groups
      .filter((group) => !hidden.has(group))
      .map((group) => ({ ...group, measured: group.curves[shown.metric] }))
      .filter((group) => group.measured && group.measured.axes[shown.axis])
      .map((group) => ({ ...group, curve: group.measured.axes[shown.axis], seeds: seedsOf(group) }));

  /** Single seeds: where asked for, and where they have no part of the axis in common. */
  const seedsOf = ({ measured }) =>
    shown.seeds || !measured.axes[shown.axis].x.length
      ? measured.seeds.map((seed) => ({ x: seed.x[shown.axis] || [], y: seed.y }))
      : [];

  const fits = (x, y) => (!shown.logX || x > 0) && (!shown.logY || y > 0);

  /** Least and greatest of what will be drawn. */
  const extent = (groups, published) => {
    const xs = [], ys = published.map((row) => row.value).filter((y) => fits(1, y));
    const add = (x, y) => x.forEach((v, i) => {
      if (fits(v, y[i])) xs.push(v), ys.push(y[i]);
    });
    for (const { curve, seeds } of groups) {
      for (const y of [curve.mean, curve.low, curve.high]) if (y) add(curve.x, y);
      for (const seed of seeds) add(seed.x, seed.y);
    }
    if (!xs.length) return null;
    return [range(xs, shown.logX, 0), range(ys, shown.logY, 0.04)];
  };

  /** A margin around values; around a single one, room for it to be seen as one. */
  const range = (values, log, margin) => {
    let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    if (log) return low === high ? [low / 2, high * 2] : [low, high];
    if (low === high) return [low - Math.abs(low || 1), high + Math.abs(high || 1)];
    return [low - margin * (high - low), high + margin * (high - low)];
  };

  const line = (x, y, sx, sy) => {
    let path = "";
    x.forEach((v, i) => {
      if (fits(v, y[i])) path += `${path ? "L" : "M"}${sx.place(v).toFixed(1)} ${sy.place(y[i]).toFixed(1)}`;
    });
    return path;
  };

  const drawCurve = ({ curve, seeds, color }, sx, sy, svg) => {
    const { x, mean, low, high } = curve;
    for (const seed of seeds) {
      element("path", { d: line(seed.x, seed.y, sx, sy), fill: "none", stroke: color, "stroke-width": 1, opacity: 0.5 }, svg);
    }
    if (x.length > 1 && low) {
      const back = line([...x].reverse(), [...low].reverse(), sx, sy).replace("M", "L");
      element("path", { d: line(x, high, sx, sy) + back + "Z", fill: color, opacity: 0.16 }, svg);
    }
    element("path", { d: line(x, mean, sx, sy), fill: "none", stroke: color, "stroke-width": 2.2, "stroke-linejoin": "round" }, svg);
    if (x.length > FEW) return;
    x.forEach((at, i) => {
      if (fits(at, mean[i])) element("circle", { cx: sx.place(at), cy: sy.place(mean[i]), r: x.length > 1 ? 3 : 4.5, fill: color }, svg);
    });
    if (x.length === 1 && low && fits(x[0], low[0])) {
      const ends = `${sy.place(low[0])}V${sy.place(high[0])}`;
      element("path", { d: `M${sx.place(x[0])} ${ends}`, stroke: color, "stroke-width": 2 }, svg);
    }
  };

  const drawPublished = (published, sx, sy, box, svg) => {
    const rows = published.filter((row) => fits(1, row.value));
    const places = apart(rows.map((row) => sy.place(row.value)), 15, box.top + 6, box.bottom - 6);
    const wide = box.right < box.width - 60;
    rows.forEach((row, i) => {
      const y = sy.place(row.value);
      element("path", { d: `M${box.left} ${y}H${box.right}`, class: "published", "stroke-dasharray": "2 4" }, svg);
      const x = wide ? box.right + 18 : box.right - 4;
      if (wide) element("path", { d: `M${box.right} ${y}L${x - 4} ${places[i]}`, class: "published", opacity: 0.6 }, svg);
      const anchor = wide ? "start" : "end";
      element("text", { x, y: places[i] + 4, class: "label", "text-anchor": anchor }, svg, `${row.method} ${short(row.value)}`);
    });
  };

  const drawFrame = (sx, sy, box, svg) => {
    for (const tick of sy.ticks) {
      const y = sy.place(tick);
      element("path", { d: `M${box.left} ${y}H${box.right}`, class: "grid" }, svg);
      element("text", { x: box.left - 8, y: y + 4, "text-anchor": "end" }, svg, short(tick, greatest(sy.ticks)));
    }
    for (const tick of sx.ticks) {
      const x = sx.place(tick);
      element("path", { d: `M${x} ${box.bottom}v5`, class: "frame" }, svg);
      element("text", { x, y: box.bottom + 18, "text-anchor": "middle" }, svg, short(tick, greatest(sx.ticks)));
    }
    element("path", { d: `M${box.left} ${box.bottom}H${box.right}`, class: "frame" }, svg);
    const middle = (box.left + box.right) / 2;
    element("text", { x: middle, y: box.bottom + 36, "text-anchor": "middle" }, svg, data.axes[shown.axis]);
  };

  const draw = (plot, environment) => {
    const width = plot.clientWidth;
    if (!width) return; // Not laid out.
    plot.replaceChildren();
    const groups = chosen(environment);
    const published = shown.metric.endsWith("return") ? environment.published : [];
    const ranges = extent(groups, published);
    if (!ranges) return void html("p", plot, `No ${data.metrics[shown.metric]} over ${data.axes[shown.axis]} was measured here.`);
    const height = Math.round(Math.min(420, Math.max(260, width * 0.5)));
    const gutter = published.length && width > 620 ? 180 : 14;
    const box = { left: 52, right: width - gutter, top: 10, bottom: height - 46, width };
    const [[x0, x1], [y0, y1]] = ranges;
    const sx = scale(x0, x1, box.left, box.right, shown.logX, width / 90);
    const sy = scale(y0, y1, box.bottom, box.top, shown.logY, height / 55);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${data.metrics[shown.metric]} over ${data.axes[shown.axis]}, ${environment.title}` }, plot);
    drawFrame(sx, sy, box, svg);
    for (const group of groups) drawCurve(group, sx, sy, svg);
    drawPublished(published, sx, sy, box, svg);
    follow(plot, svg, groups, sx, sy, box);
  };

  // What lies under the pointer.

  const nearest = (x, at) => {
    let best = -1;
    x.forEach((v, i) => {
      if (best < 0 || Math.abs(v - at) < Math.abs(x[best] - at)) best = i;
    });
    return best;
  };

  const follow = (plot, svg, groups, sx, sy, box) => {
    const layer = element("g", { visibility: "hidden" }, svg);
    const tip = html("div", plot, undefined, "tip");
    tip.hidden = true;
    const show = (event) => {
      const left = svg.getBoundingClientRect().left;
      const at = Math.min(box.right, Math.max(box.left, event.clientX - left));
      layer.replaceChildren();
      tip.replaceChildren();
      element("path", { d: `M${at} ${box.top}V${box.bottom}`, class: "cursor", "stroke-dasharray": "3 3" }, layer);
      html("div", tip, `${short(sx.value(at))} ${data.axes[shown.axis]}`);
      for (const { label, color, curve } of groups) {
        const i = nearest(curve.x.map(sx.place), at);
        if (i < 0 || !fits(curve.x[i], curve.mean[i])) continue;
        element("circle", { cx: sx.place(curve.x[i]), cy: sy.place(curve.mean[i]), r: 4, fill: color }, layer);
        const row = html("div", tip);
        html("i", row).style.background = color;
        const band = curve.low ? ` (${short(curve.low[i])} to ${short(curve.high[i])})` : "";
        html("span", row, label);
        html("b", row, short(curve.mean[i]));
        html("span", row, `${band} at ${short(curve.x[i])}`);
      }
      layer.setAttribute("visibility", "visible");
      tip.hidden = false;
      const room = plot.clientWidth - tip.offsetWidth - 4;
      tip.style.transform = `translate(${Math.max(0, Math.min(room, at + 14))}px, ${box.top + 4}px)`;
    };
    const hide = () => {
      layer.setAttribute("visibility", "hidden");
      tip.hidden = true;
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", hide);
  };

  // Controls.

  const drawAll = () => plots.forEach((plot, i) => draw(plot, data.environments[i]));

  const choice = (id, options, key) => {
    const select = document.getElementById(id);
    for (const [value, text] of Object.entries(options)) html("option", select, text).value = value;
    select.value = shown[key];
    select.addEventListener("change", () => {
      shown[key] = select.value;
      drawAll();
    });
  };

  const toggle = (id, key) => {
    const box = document.getElementById(id);
    box.checked = shown[key];
    box.addEventListener("change", () => {
      shown[key] = box.checked;
      drawAll();
    });
  };

  const legend = (parent, i) => {
    for (const group of data.environments[i].groups) {
      const button = html("button", parent);
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      html("i", button).style.background = group.color;
      html("span", button, group.label);
      button.addEventListener("click", () => {
        if (!hidden.delete(group)) hidden.add(group);
        button.setAttribute("aria-pressed", String(!hidden.has(group)));
        draw(plots[i], data.environments[i]);
      });
    }
  };

  const theme = () => {
    const root = document.documentElement;
    const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
    document.getElementById("theme").addEventListener("click", () => {
      root.dataset.theme = (root.dataset.theme || (dark() ? "dark" : "light")) === "dark" ? "light" : "dark";
    });
  };

  choice("metric", data.metrics, "metric");
  choice("axis", data.axes, "axis");
  toggle("log-x", "logX");
  toggle("log-y", "logY");
  toggle("seeds", "seeds");
  document.querySelectorAll(".legend").forEach(legend);
  theme();
  drawAll();
  addEventListener("resize", drawAll);
})();
