// Makes the page quicker and the slider honest; without it, the same forms are sent by the browser itself.

const WORDS = ["hated it", "did not like it", "so-so", "liked it", "loved it"];
const find = (selector, within = document) => within.querySelector(selector);
let telling = 0;

document.documentElement.classList.add("with-script");

// One live region, and a moment's patience, so that what moves the focus is read first.
function tell(words) {
  clearTimeout(telling);
  const region = find("#status");
  region.textContent = "";
  if (words) telling = setTimeout(() => { region.textContent = words; }, 300);
}

function warn(words) {
  let place = find("#alert");
  if (!place) {
    place = document.createElement("p");
    place.id = "alert";
    place.className = "bad";
    place.setAttribute("role", "alert");
    find("main").prepend(place);
  }
  place.textContent = words ? `Error: ${words}` : "";
}

// The slider ------------------------------------------------------------------------------------------

function spoken(slider, value) {
  const { low, high } = { low: Number(slider.min), high: Number(slider.max) };
  const word = WORDS[Math.min(4, Math.max(0, Math.floor(((value - low) / (high - low)) * 5)))];
  if ("stars" in slider.dataset) {
    const whole = Math.floor(value);
    const many = value === whole ? `${whole}` : whole ? `${whole} and a half` : "half a";
    return { seen: `${many} ${value <= 1 ? "star" : "stars"}, ${word}`, heard: `${many} ${value <= 1 ? "star" : "stars"}, ${word}` };
  }
  const digits = Math.abs(value).toFixed(Number(slider.dataset.decimals));
  const sign = Number(digits) === 0 ? "" : value < 0 ? "−" : "signed" in slider.dataset ? "+" : "";
  const heard = { "−": "minus ", "+": "plus ", "": "" }[sign] + digits;
  return { seen: `${sign}${digits}, ${word}`, heard: `${heard}, ${word}` };
}

function remind(value, room) {
  const like = find("#like");
  const near = [...document.querySelectorAll("#earlier li")]
    .map((one) => ({ text: one.textContent, far: Math.abs(Number(one.dataset.value) - value) }))
    .sort((a, b) => a.far - b.far)[0];
  like.hidden = false;
  like.textContent = near && near.far <= room ? near.text : "";
}

function makeSlider() {
  const parts = find("#slider-parts");
  if (!parts) return;
  const typed = find(".typed");
  const room = document.createElement("div");
  room.className = "slid";
  room.append(parts.content.cloneNode(true));
  typed.replaceWith(room);
  const slider = find("#slider");
  const sent = find("#sent");
  const shown = find(".shown", room);
  const answer = () => {
    slider.removeAttribute("data-unrated");
    sent.value = slider.value;
    const { seen, heard } = spoken(slider, Number(slider.value));
    slider.setAttribute("aria-valuetext", heard);
    shown.textContent = seen;
    remind(Number(slider.value), (slider.max - slider.min) / 10);
    warn("");
  };
  slider.addEventListener("input", answer);
  slider.addEventListener("click", answer); // on the resting thumb: that is an answer, too
  slider.addEventListener("keydown", (event) => {
    const isFirst = slider.hasAttribute("data-unrated");
    if (event.key === " " || (event.key === "0" && slider.min < 0)) {
      slider.value = slider.defaultValue;
      event.preventDefault();
      answer();
    } else if (isFirst && (event.key === "Home" || event.key === "End")) {
      setTimeout(answer); // it may lie there already, and then says nothing
    }
  });
  for (const button of room.querySelectorAll("[data-by]")) {
    button.addEventListener("click", () => {
      slider.value = Number(slider.value) + Number(button.dataset.by);
      answer();
    });
  }
  if (sent.value) answer();
}

function makeChoices() {
  for (const one of document.querySelectorAll("#rate [type=radio]")) {
    one.addEventListener("change", () => {
      const ends = [...document.querySelectorAll("#rate [type=radio]")].map((radio) => radio.value).filter(Boolean);
      if (one.value) remind(Number(one.value), (ends.at(-1) - ends[0]) / 8);
      else find("#like").textContent = "";
      warn("");
    });
    one.addEventListener("keydown", (event) => { // a browser sends no form by Enter on a radio of its own accord
      if (event.key === "Enter") {
        event.preventDefault();
        find("#rate").requestSubmit(find("#rate .primary"));
      }
    });
  }
}

// Forms -------------------------------------------------------------------------------------------------

function isUnanswered(form, button) {
  return form.id === "rate" && !button?.dataset.key && !new FormData(form).get("value");
}

async function send(event) {
  const form = event.target;
  const button = event.submitter;
  if (form.action.endsWith("/sign-in") || form.method !== "post") return; // a password is the browser's own affair
  event.preventDefault();
  if (isUnanswered(form, button)) {
    warn(`${find("#slider") ? "Move the slider" : "Choose a rating"} first, or skip.`);
    return;
  }
  document.body.setAttribute("aria-busy", "true");
  try {
    const address = button?.hasAttribute("formaction") ? button.formAction : form.action;
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
    await show(answer);
  } catch {
    warn("The service does not answer. Nothing is known to be stored; try again.");
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

async function show(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const problem = find("#problem", page) ?? (answer.ok ? null : find("#alert", page));
  if (problem) {
    warn(problem.textContent.trim().replace(/^Error: /, "") || "This did not work.");
    return;
  }
  take(page);
  history.replaceState(null, "", answer.url);
}

function take(page, isQuiet = false) {
  find("main").replaceWith(find("main", page));
  document.title = page.title;
  begin();
  if (isQuiet) return;
  (find("#item") ?? find("main")).focus();
  tell(find("#said")?.dataset.spoken);
}

// Keys of the form, and only while the focus is in it ---------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const inForm = event.target.closest?.("#rate, #undo");
  if (!inForm || event.target.matches("[type=number], [type=text], [type=password]")) return;
  const button = { s: find("[data-key=s]"), u: find("#undo button") }[event.key.toLowerCase()];
  if (button) {
    event.preventDefault();
    button.click();
  }
});
document.addEventListener("submit", send);

// A training that is at work ------------------------------------------------------------------------------

async function watch() {
  if (!find("#trainings[data-running]")) return;
  try {
    const answer = await fetch("/admin/trainings");
    if (answer.status === 401) return location.assign("/admin");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = find("#trainings", page);
    const old = find("#trainings[data-running]");
    if (!answer.ok || !now || !old) return void setTimeout(watch, 3000);
    if (!("running" in now.dataset)) {
      const whole = await fetch("/admin");
      const focused = find("#trainings").contains(document.activeElement);
      take(new DOMParser().parseFromString(await whole.text(), "text/html"), true);
      if (focused) find("#item").focus();
      const last = find("#trainings .jobs li");
      tell(`The training is over. ${last ? last.textContent.replace(/\s+/g, " ").trim() : ""}`);
      return;
    }
    const here = find("progress", old);
    const there = find("progress", now);
    if (there.hasAttribute("value")) {
      here.max = there.max;
      here.value = there.value;
    } else {
      here.removeAttribute("value");
    }
    find("label", old).textContent = find("label", now).textContent;
    find("progress + span", old).textContent = find("progress + span", now).textContent;
    find("p", old).replaceChildren(...find("p", now).childNodes);
  } catch { /* the service is away; it may come back */ }
  setTimeout(watch, 1000);
}

function begin() {
  makeSlider();
  makeChoices();
  const keys = find("#keys");
  if (keys) keys.hidden = false;
  watch();
}

begin();
