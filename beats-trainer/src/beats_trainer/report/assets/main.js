/* Joins the map, the panel, the legend and the list of damage. */

const data = JSON.parse(document.getElementById("data").textContent);
const SHOWN_SITES = 8;
const HOURS = Array.from({ length: 24 }, (_, hour) => `oklch(0.7 0.13 ${(hour * 15 + 260) % 360})`);

function lookAround() {
  const canvas = document.getElementById("points");
  const map = new PointMap(canvas, data, (i) => player.show(i ?? map.chosen ?? player.shown), choose);
  const player = new Player(data, map.stops);

  function choose(i) {
    if (i === null) return;
    map.choose(i);
    player.start(i);
  }
  function visit(i) {
    if (i === null) return;
    map.choose(i);
    player.show(i);
  }
  function step(by) {
    const { stops } = map;
    const place = stops.indexOf(map.chosen);
    choose(stops[place < 0 ? 0 : (place + by + stops.length) % stops.length]);
  }
  const keys = {
    ArrowLeft: () => visit(map.towards(-1, 0)), ArrowRight: () => visit(map.towards(1, 0)),
    ArrowUp: () => visit(map.towards(0, 1)), ArrowDown: () => visit(map.towards(0, -1)),
    Enter: () => player.toggle(), " ": () => player.toggle(),
    "+": () => map.magnify(1.4), "=": () => map.magnify(1.4), "-": () => map.magnify(1 / 1.4),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  onClick("zoom-in", () => map.magnify(1.4));
  onClick("zoom-out", () => map.magnify(1 / 1.4));
  onClick("reset", () => map.reset());
  onClick("previous", () => step(-1));
  onClick("next", () => step(1));
  const choice = document.getElementById("colour");
  const recolour = () => colourBy(choice.value, map);
  choice.addEventListener("change", recolour);
  map.dark.addEventListener("change", recolour);
  recolour();
  visit(map.stops[0] ?? null);
}

function onClick(id, run) {
  document.getElementById(id).addEventListener("click", run);
}

function colourBy(kind, map) {
  const sites = data.sites.slice(0, SHOWN_SITES);
  const ways = {
    site: (i) => (sites.includes(data.site[i]) ? sites.indexOf(data.site[i]) : -1),
    hour: (i) => (data.hour[i] === null ? -1 : HOURS[data.hour[i]]),
    none: () => 0,
  };
  const colours = data.site.map((_, i) => ways[kind](i));
  map.colour = (i) => colours[i];
  map.draw();
  const entries = {
    site: [...sites.map((name, i) => [name, i]), ...(colours.includes(-1) ? [["other sites", -1]] : [])],
    hour: [...[0, 3, 6, 9, 12, 15, 18, 21].map((hour) => [`${String(hour).padStart(2, "0")} h`, HOURS[hour]]), ...(colours.includes(-1) ? [["no time", -1]] : [])],
    none: [],
  };
  document.getElementById("legend").replaceChildren(...entries[kind].map(([name, colour]) => entry(name, map.paint(colour))));
}

function entry(name, colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [key, value] of [["width", 12], ["height", 12], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
  for (const [key, value] of [["cx", 6], ["cy", 6], ["r", 5], ["fill", colour]]) dot.setAttribute(key, value);
  svg.append(dot);
  const text = element("span");
  text.append(element("bdi", name));
  text.title = name;
  const item = document.createElement("li");
  item.append(svg, text);
  return item;
}

function sieve() {
  const buttons = [...document.querySelectorAll(".chips button")];
  const lines = [...document.querySelectorAll(".damage tbody tr")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const { kind } = button.dataset;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      for (const line of lines) line.hidden = kind !== "" && !line.dataset.kinds.split(" ").includes(kind);
    });
  }
}

if (data.x.length) lookAround();
sieve();
