/* Paints the mistakes of a training, and plays one at a time. */

const data = JSON.parse(document.getElementById("data").textContent);

function playMistakes() {
  const audio = document.getElementById("audio");
  const buttons = [...document.querySelectorAll("[data-play]")].filter((one) => data.sounds[one.dataset.play]);
  let playing = null;

  function label() {
    for (const one of buttons) one.textContent = one === playing && !audio.paused ? "■ Stop" : "▶ Play";
  }
  function toggle(button) {
    const stops = playing === button && !audio.paused;
    playing = button;
    if (stops) return audio.pause();
    audio.src = `data:audio/mpeg;base64,${data.sounds[button.dataset.play].audio}`;
    audio.play().catch(label);
  }
  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => toggle(button));
  }
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, label);
  label();
}

for (const canvas of document.querySelectorAll("canvas[data-sound]")) {
  paintSound(canvas, data.sounds[canvas.dataset.sound], data.picture);
}
if (document.getElementById("audio")) playMistakes();
