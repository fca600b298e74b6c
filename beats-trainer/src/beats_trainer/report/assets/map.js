"use strict";
/* The map: points on a canvas, which can be moved, magnified and walked over with the arrow keys. */

const COLOURS = {
  light: ["#0b6e6e", "#c4622d", "#5b4b9a", "#b08a00", "#b0305c", "#3d7d2f", "#2f6fb5", "#7a5c45"],
  dark: ["#58c7bd", "#f09a63", "#a99af0", "#e5c34d", "#f0789f", "#8fd07c", "#76b5f2", "#c9a78c"],
};
const OTHER = { light: "#98a0aa", dark: "#727c87" };

class PointMap {
  constructor(canvas, data, onHover, onChoose) {
    Object.assign(this, { canvas, data, onHover, onChoose });
    this.pen = canvas.getContext("2d");
    this.heard = Object.keys(data.sounds).map(Number);
    this.stops = this.heard.length ? this.heard : data.x.map((_, i) => i);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.colour = () => 0;
    this.chosen = this.hovered = null;
    this.reset();
    this.listen();
  }

  listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.dark.addEventListener("change", () => this.draw());
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  reset() {
    this.zoom = 1;
    this.centre = [0.5, 0.5];
    this.draw();
  }

  /* One scale for both axes: distances mean the same in every direction. */
  scale() {
    return 0.92 * Math.min(this.canvas.clientWidth, this.canvas.clientHeight) * this.zoom * this.stretch();
  }

  /* A wide canvas shows a wide cloud as large as it can. */
  stretch() {
    this.extent ??= ["x", "y"].map((axis) => Math.max(...this.data[axis]) - Math.min(...this.data[axis]) || 1e-9);
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const least = Math.min(width, height);
    return Math.min(width / least / this.extent[0], height / least / this.extent[1]);
  }

  at(i) {
    const scale = this.scale();
    return [
      this.canvas.clientWidth / 2 + (this.data.x[i] - this.centre[0]) * scale,
      this.canvas.clientHeight / 2 - (this.data.y[i] - this.centre[1]) * scale,
    ];
  }

  draw() {
    const { canvas, pen, data } = this;
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    pen.scale(ratio, ratio);
    const radius = Math.max(1.6, Math.min(4, 90 / Math.sqrt(data.x.length))) * Math.min(2, Math.sqrt(this.zoom));
    pen.globalAlpha = data.x.length > 2000 ? 0.55 : 0.75;
    for (let i = 0; i < data.x.length; i++) this.dot(i, radius);
    pen.globalAlpha = 0.6;
    for (const i of this.heard) this.ring(i, radius + 2.2, 1.2);
    pen.globalAlpha = 1;
    if (this.hovered !== null) this.ring(this.hovered, radius + 5, 2);
    if (this.chosen !== null) this.ring(this.chosen, radius + 7, 3);
  }

  dot(i, radius) {
    const [x, y] = this.at(i);
    this.pen.fillStyle = this.paint(this.colour(i));
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 7);
    this.pen.fill();
  }

  ring(i, radius, width) {
    const [x, y] = this.at(i);
    this.pen.strokeStyle = this.dark.matches ? "#f4f1ea" : "#1c2430";
    this.pen.lineWidth = width;
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 7);
    this.pen.stroke();
  }

  /* A number is one of the palette, a text is a colour itself. */
  paint(colour) {
    const mode = this.dark.matches ? "dark" : "light";
    return typeof colour === "string" ? colour : COLOURS[mode][colour] ?? OTHER[mode];
  }

  nearest(x, y, reach) {
    let best = null;
    let least = reach * reach;
    for (let i = 0; i < this.data.x.length; i++) {
      const [px, py] = this.at(i);
      const distance = (px - x) ** 2 + (py - y) ** 2 - (i in this.data.sounds ? 30 : 0);
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  press(event) {
    this.drag = { x: event.offsetX, y: event.offsetY, centre: [...this.centre], moved: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (!this.drag) return this.hover(this.nearest(event.offsetX, event.offsetY, 14));
    const [dx, dy] = [event.offsetX - this.drag.x, event.offsetY - this.drag.y];
    if (Math.hypot(dx, dy) < 5 && !this.drag.moved) return;
    this.drag.moved = true;
    this.canvas.classList.add("dragging");
    this.centre = [this.drag.centre[0] - dx / this.scale(), this.drag.centre[1] + dy / this.scale()];
    this.draw();
  }

  release(event) {
    const moved = this.drag?.moved;
    this.drag = null;
    this.canvas.classList.remove("dragging");
    const found = this.nearest(event.offsetX, event.offsetY, 18);
    if (!moved && found !== null) this.onChoose(found);
  }

  /* The page scrolls with the wheel; the map only answers with Ctrl, or to a pinch. */
  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.magnify(Math.exp(-event.deltaY / 200));
  }

  magnify(factor) {
    this.zoom = Math.min(60, Math.max(1, this.zoom * factor));
    if (this.zoom === 1) this.centre = [0.5, 0.5];
    this.draw();
  }

  hover(i) {
    if (i === this.hovered) return;
    this.hovered = i;
    this.draw();
    this.onHover(i);
  }

  choose(i) {
    this.chosen = i;
    const [x, y] = this.at(i);
    const outside = x < 0 || y < 0 || x > this.canvas.clientWidth || y > this.canvas.clientHeight;
    if (outside) this.centre = [this.data.x[i], this.data.y[i]];
    this.draw();
  }

  /* The nearest clip with sound (of all, if none has) within 45 degrees of a direction; far ones to the side count as farther. */
  towards(dx, dy) {
    if (this.chosen === null) return this.stops[0] ?? null;
    let best = null;
    let least = Infinity;
    for (const i of this.stops) {
      const [x, y] = [this.data.x[i] - this.data.x[this.chosen], this.data.y[i] - this.data.y[this.chosen]];
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy - y * dx);
      const distance = along + 2 * across;
      if (i !== this.chosen && along > 0 && across <= along && distance < least) [best, least] = [i, distance];
    }
    return best;
  }
}
