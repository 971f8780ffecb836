// The picture of the network: nodes in columns, links between them, and dots for the frames that links carried.
// A dot is drawn for a count; it is nobody's packet.

const SVG = "http://www.w3.org/2000/svg";
const TRAVEL = 620; // milliseconds that a dot takes
const MOST = 700; // dots at one time; beyond that one stands for several frames

export function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

export class NetworkMap {
  constructor(svg, canvas) {
    this.svg = svg;
    this.canvas = canvas;
    this.dots = [];
    this.places = new Map(); // "side name" → centre; a provider and a client stand at both sides
    this.wires = [];
    this.still = false;
    this.share = 1; // of frames that get a dot
    new ResizeObserver(() => this.layout && this.show(this.layout)).observe(svg.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.color = null));
  }

  // Columns from the senders' side to the receivers'.
  columns(layout) {
    const of = (kind) => layout.nodes.filter((node) => node.kind === kind);
    const mixes = of("mix");
    const layers = [...new Set(mixes.map((mix) => mix.layer))].sort((a, b) => a - b);
    const clients = layout.clients.map((name) => ({ name, kind: "client", layer: 0 }));
    const columns = layers.map((layer) => ({
      title: layer ? `layer ${layer}` : "no layer yet",
      side: "",
      nodes: mixes.filter((mix) => mix.layer === layer),
    }));
    columns.unshift({ title: "providers", side: "<", nodes: of("provider") });
    columns.push({ title: "providers", side: ">", nodes: of("provider") });
    if (clients.length) {
      columns.unshift({ title: "clients send", side: "<", nodes: clients });
      columns.push({ title: "clients receive", side: ">", nodes: clients });
    }
    return columns;
  }

  show(layout) {
    this.layout = layout;
    const width = Math.max(280, this.svg.parentElement.clientWidth);
    const columns = this.columns(layout);
    const tall = width < 132 * columns.length; // then they are rows, from above to below
    const most = Math.max(1, ...columns.map((column) => column.nodes.length));
    const authorities = layout.nodes.filter((node) => node.kind === "authority");
    const crowded = most > (tall ? 4 : 7);
    const box = crowded ? [18, 18] : tall ? [Math.min(104, width / most - 10), 36] : [104, 42];
    const rowHeight = crowded ? 30 : 66;
    const step = tall ? 84 : (width - box[0] - 4) / Math.max(1, columns.length - 1);
    const main = tall ? columns.length * step - 6 : Math.max(150, most * rowHeight) + 26;
    const perRow = Math.max(1, Math.min(authorities.length, Math.floor(width / 118)));
    const extra = authorities.length ? 30 + 46 * Math.ceil(authorities.length / perRow) : 0;
    const height = main + extra;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.style.height = `${height}px`;
    this.places.clear();
    const front = element("g"), back = element("g");
    columns.forEach((column, number) => {
      const along = tall ? 36 + number * step : box[0] / 2 + 2 + number * step;
      const heading = tall
        ? element("text", { class: "column row", x: 0, y: along - box[1] / 2 - 8 }, column.title)
        : element("text", { class: "column", x: along, y: 12 }, column.title);
      front.append(heading);
      column.nodes.forEach((node, row) => {
        const across = (row + 0.5) / column.nodes.length;
        const [x, y] = tall ? [across * width, along] : [along, 26 + across * (main - 26)];
        this.places.set(`${column.side} ${node.name}`, [x, y]);
        front.append(this.node(node, x, y, box, crowded));
      });
    });
    authorities.forEach((node, number) => {
      const x = ((number % perRow) + 0.5) * (width / perRow), y = main + 46 + 46 * Math.floor(number / perRow);
      if (!number) front.append(element("text", { class: "column", x: width / 2, y: main + 16 }, width < 420 ? "authorities" : "authorities: they sign who is who, and see no packet"));
      front.append(this.node(node, x, y, [104, 34], false));
    });
    const kinds = new Map(layout.nodes.map((node) => [node.name, node.kind]));
    this.wires = layout.links.map(([from, to]) => {
      const a = this.places.get(`${kinds.get(from) === "mix" ? "" : kinds.has(from) ? (kinds.has(to) ? "<" : ">") : "<"} ${from}`);
      const b = this.places.get(`${kinds.get(to) === "mix" ? "" : kinds.has(to) ? (kinds.has(from) ? ">" : "<") : ">"} ${to}`);
      if (!a || !b) return null; // to an authority
      const d = this.edge(a, b, box, tall);
      const path = element("path", { class: "wire", d: `M${d[0]} ${d[1]}L${d[2]} ${d[3]}`, "stroke-opacity": 0.35 });
      back.append(path);
      return { ends: d, path };
    });
    this.svg.replaceChildren(back, front);
    const scale = devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    this.canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    this.dots = [];
  }

  node(node, x, y, [width, height], bare) {
    const group = element("g");
    const shape = { x: x - width / 2, y: y - height / 2, width, height, rx: node.kind === "mix" ? 7 : height / 2, class: `node ${node.kind}` };
    group.append(element("title", {}, node.name), element("rect", shape));
    group.dataset.name = node.name;
    if (!bare) {
      const room = Math.floor(width / 7.4);
      const name = node.name.length > room ? `${node.name.slice(0, room - 1)}…` : node.name;
      const noRate = node.kind === "authority";
      group.append(element("text", { x, y: y + (noRate ? 4 : -2) }, name));
      if (!noRate) group.append(element("text", { class: "rate", x, y: y + 13 }));
    }
    return group;
  }

  edge([ax, ay], [bx, by], [width, height], tall) {
    return tall ? [ax, ay + height / 2, bx, by - height / 2] : [ax + width / 2, ay, bx - width / 2, by];
  }

  figures(figures) {
    const fastest = Math.max(1, ...figures.links);
    figures.links.forEach((rate, number) => {
      const wire = this.wires[number];
      if (!wire) return;
      wire.path.setAttribute("stroke-opacity", (0.2 + 0.6 * (rate / fastest)).toFixed(2));
      wire.path.setAttribute("stroke-width", (0.8 + 1.8 * (rate / fastest)).toFixed(2));
    });
    const states = new Map(figures.nodes.map((row) => [row.name, row]));
    const clients = new Map(figures.clients.map((row) => [row.name, row]));
    for (const [place] of this.places) {
      const name = place.slice(place.indexOf(" ") + 1), side = place[0];
      for (const group of this.svg.querySelectorAll("g[data-name]")) {
        if (group.dataset.name !== name) continue;
        const row = states.get(name), rate = group.querySelector(".rate");
        group.querySelector("rect").classList.toggle("lost", Boolean(row) && row.state !== "ready");
        if (rate && row) rate.textContent = row.state === "ready" ? `${Math.round(row.incoming)} in a second` : row.state;
        else if (rate && clients.has(name) && this.sideOf(group, name) === side) {
          const client = clients.get(name);
          rate.textContent = `${Math.round(side === "<" ? client.up : client.down)} a second`;
        }
      }
    }
  }

  sideOf(group, name) {
    const x = Number(group.querySelector("rect").getAttribute("x")), y = Number(group.querySelector("rect").getAttribute("y"));
    const left = this.places.get(`< ${name}`), width = Number(group.querySelector("rect").getAttribute("width"));
    const height = Number(group.querySelector("rect").getAttribute("height"));
    return Math.abs(x + width / 2 - left[0]) < 1 && Math.abs(y + height / 2 - left[1]) < 1 ? "<" : ">";
  }

  tick(flows, seconds, now) {
    if (this.still) return;
    const frames = flows.reduce((sum, [link, count]) => sum + (this.wires[link] ? count : 0), 0);
    const room = (MOST * seconds * 1000) / TRAVEL;
    this.share = Math.min(1, room / Math.max(1, frames));
    for (const [link, count] of flows) {
      const wire = this.wires[link];
      for (let number = 0; wire && number < count; number++)
        if (Math.random() < this.share) this.dots.push({ ends: wire.ends, at: now + Math.random() * seconds * 1000 });
    }
    if (this.dots.length && !this.running) {
      this.running = true;
      requestAnimationFrame((when) => this.frame(when));
    }
  }

  frame(now) {
    const context = this.canvas.getContext("2d");
    this.color ??= getComputedStyle(document.documentElement).getPropertyValue("--packet");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.fillStyle = this.color;
    this.dots = this.still ? [] : this.dots.filter((dot) => now - dot.at < TRAVEL);
    context.beginPath();
    for (const { ends, at } of this.dots) {
      const way = (now - at) / TRAVEL;
      if (way < 0) continue;
      const x = ends[0] + (ends[2] - ends[0]) * way, y = ends[1] + (ends[3] - ends[1]) * way;
      context.moveTo(x + 2.7, y);
      context.arc(x, y, 2.7, 0, 7);
    }
    context.fill();
    this.running = this.dots.length > 0;
    if (this.running) requestAnimationFrame((when) => this.frame(when));
  }
}
