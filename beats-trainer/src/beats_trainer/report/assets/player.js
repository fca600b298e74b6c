/* The panel beside the map: what a clip looks like, what is known of it, and its sound. */

class Player {
  constructor(data, stops) {
    Object.assign(this, { data, stops });
    for (const id of ["picture", "play", "audio", "facts", "length", "count"]) this[id] = document.getElementById(id);
    this.shown = null;
    this.play.addEventListener("click", () => this.toggle());
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.label());
  }

  show(i) {
    if (i === this.shown) return;
    this.audio.pause();
    this.shown = i;
    const sound = this.data.sounds[i];
    this.paint(sound);
    this.tell(i, sound);
    this.label();
  }

  start(i) {
    this.show(i);
    const sound = this.data.sounds[i];
    if (!sound) return;
    this.audio.src = `data:audio/mpeg;base64,${sound.audio}`;
    this.audio.play().catch(() => this.label());
  }

  toggle() {
    if (this.shown === null) return;
    if (this.audio.paused) this.start(this.shown);
    else this.audio.pause();
  }

  label() {
    const sound = this.data.sounds[this.shown];
    this.play.disabled = !sound;
    this.play.textContent = !sound ? (this.shown === null ? "Play" : "Not among the clips with sound") : this.audio.paused ? "▶ Play" : "■ Stop";
  }

  paint(sound) {
    this.length.textContent = sound ? `${sound.seconds.toFixed(1)} s` : "";
    paintSound(this.picture, sound, this.data.picture);
  }

  /* Names come from strangers: they are only ever text. */
  tell(i, sound) {
    const { data } = this;
    const name = data.recordings[data.recording[i]];
    const cut = Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1;
    const facts = [["Clip", `${data.start[i].toFixed(2)} to ${data.end[i].toFixed(2)} s`]];
    if (data.channel[i] !== null) facts.push(["Channel", data.channel[i]]);
    if (data.when[i]) facts.push(["Time", data.when[i]]);
    facts.push(["Site", data.site[i]]);
    if (cut > 1 && data.site[i] !== name.slice(0, cut - 1)) facts.push(["Folder", name.slice(0, cut)]);
    const title = element("strong", name.slice(cut));
    const list = element("dl");
    for (const [term, value] of facts) list.append(element("dt", term), element("dd", value));
    this.facts.replaceChildren(title, list);
    const place = this.stops.indexOf(i);
    this.count.textContent = place < 0 ? "no sound" : `${place + 1} of ${this.stops.length}`;
    this.picture.setAttribute("aria-label", sound ? `Spectrogram of ${name}` : "This clip has no spectrogram here");
  }
}

function element(kind, text = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}
