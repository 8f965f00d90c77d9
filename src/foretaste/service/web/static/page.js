// Enhances the pages: sends forms without a reload and shows a slider that starts unrated. Without this script
// the browser sends the same forms itself.

const LABELS = ["hated it", "did not like it", "so-so", "liked it", "loved it"];
const POLL_MS = 1000;
const RETRY_MS = 3000;
const find = (selector, within = document) => within.querySelector(selector);
let announceTimer = 0;

document.documentElement.classList.add("with-script");

// One live region; the delay lets screen readers read the focused element first.
function announce(text) {
  clearTimeout(announceTimer);
  const region = find("#status");
  region.textContent = "";
  if (text) announceTimer = setTimeout(() => { region.textContent = text; }, 300);
}

function showError(text) {
  let alert = find("#alert");
  if (!alert) {
    alert = document.createElement("p");
    alert.id = "alert";
    alert.className = "bad";
    alert.setAttribute("role", "alert");
    find("main").prepend(alert);
  }
  alert.textContent = text ? `Error: ${text}` : "";
}

// Slider ------------------------------------------------------------------------------------------------

function formatRating(slider, value) {
  const { low, high } = { low: Number(slider.min), high: Number(slider.max) };
  const label = LABELS[Math.min(4, Math.max(0, Math.floor(((value - low) / (high - low)) * 5)))];
  if ("stars" in slider.dataset) {
    const whole = Math.floor(value);
    const count = value === whole ? `${whole}` : whole ? `${whole} and a half` : "half a";
    const text = `${count} ${value <= 1 ? "star" : "stars"}, ${label}`;
    return { visible: text, aria: text };
  }
  const digits = Math.abs(value).toFixed(Number(slider.dataset.decimals));
  const sign = Number(digits) === 0 ? "" : value < 0 ? "−" : "signed" in slider.dataset ? "+" : "";
  const ariaSign = { "−": "minus ", "+": "plus ", "": "" }[sign];
  return { visible: `${sign}${digits}, ${label}`, aria: `${ariaSign}${digits}, ${label}` };
}

// Reminds the visitor of the earlier rating with the most similar value.
function showReminder(value, tolerance) {
  const reminder = find("#like");
  const nearest = [...document.querySelectorAll("#earlier li")]
    .map((entry) => ({ text: entry.textContent, distance: Math.abs(Number(entry.dataset.value) - value) }))
    .sort((a, b) => a.distance - b.distance)[0];
  reminder.hidden = false;
  reminder.textContent = nearest && nearest.distance <= tolerance ? nearest.text : "";
}

function initSlider() {
  const parts = find("#slider-parts");
  if (!parts) return;
  const container = document.createElement("div");
  container.className = "slid";
  container.append(parts.content.cloneNode(true));
  find(".typed").replaceWith(container);
  const slider = find("#slider");
  const field = find("#sent");
  const output = find(".shown", container);
  const update = () => {
    slider.removeAttribute("data-unrated");
    field.value = slider.value;
    const { visible, aria } = formatRating(slider, Number(slider.value));
    slider.setAttribute("aria-valuetext", aria);
    output.textContent = visible;
    showReminder(Number(slider.value), (slider.max - slider.min) / 10);
    showError("");
  };
  slider.addEventListener("input", update);
  slider.addEventListener("click", update); // a click on the thumb that does not move it is a rating, too
  slider.addEventListener("keydown", (event) => {
    const isUnrated = slider.hasAttribute("data-unrated");
    if (event.key === " " || (event.key === "0" && slider.min < 0)) {
      slider.value = slider.defaultValue;
      event.preventDefault();
      update();
    } else if (isUnrated && (event.key === "Home" || event.key === "End")) {
      setTimeout(update); // no input event comes if the thumb is already there
    }
  });
  for (const button of container.querySelectorAll("[data-by]")) {
    button.addEventListener("click", () => {
      slider.value = Number(slider.value) + Number(button.dataset.by);
      update();
    });
  }
  if (field.value) update();
}

function initRadios() {
  const radios = [...document.querySelectorAll("#rate [type=radio]")];
  for (const radio of radios) {
    radio.addEventListener("change", () => {
      const values = radios.map((option) => option.value).filter(Boolean);
      if (radio.value) showReminder(Number(radio.value), (values.at(-1) - values[0]) / 8);
      else find("#like").textContent = "";
      showError("");
    });
    radio.addEventListener("keydown", (event) => { // browsers do not submit a form on Enter in a radio button
      if (event.key === "Enter") {
        event.preventDefault();
        find("#rate").requestSubmit(find("#rate .primary"));
      }
    });
  }
}

// Forms -------------------------------------------------------------------------------------------------

function isUnrated(form, button) {
  return form.id === "rate" && !button?.dataset.key && !new FormData(form).get("value");
}

async function submitForm(event) {
  const form = event.target;
  const button = event.submitter;
  if (form.action.endsWith("/sign-in") || form.method !== "post") return; // lets the browser save passwords
  event.preventDefault();
  if (isUnrated(form, button)) {
    showError(`${find("#slider") ? "Move the slider" : "Choose a rating"} first, or skip.`);
    return;
  }
  document.body.setAttribute("aria-busy", "true");
  try {
    const address = button?.hasAttribute("formaction") ? button.formAction : form.action;
    const response = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
    await showResponse(response);
  } catch {
    showError("The service does not answer. Nothing is known to be stored; try again.");
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

function parsePage(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

async function showResponse(response) {
  const page = parsePage(await response.text());
  const problem = find("#problem", page) ?? (response.ok ? null : find("#alert", page));
  if (problem) {
    showError(problem.textContent.trim().replace(/^Error: /, "") || "This did not work.");
    return;
  }
  replaceMain(page);
  history.replaceState(null, "", response.url);
}

function replaceMain(page, isQuiet = false) {
  find("main").replaceWith(find("main", page));
  document.title = page.title;
  initPage();
  if (isQuiet) return;
  (find("#item") ?? find("main")).focus();
  announce(find("#notice")?.dataset.spoken);
}

// Keyboard shortcuts, only while the focus is in the form -------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isInForm = event.target.closest?.("#rate, #undo");
  if (!isInForm || event.target.matches("[type=number], [type=text], [type=password]")) return;
  const button = { s: find("[data-key=s]"), u: find("#undo button") }[event.key.toLowerCase()];
  if (button) {
    event.preventDefault();
    button.click();
  }
});
document.addEventListener("submit", submitForm);

// Polling of a running job --------------------------------------------------------------------------------

async function pollJob() {
  if (!find("#jobs[data-running]")) return;
  try {
    const response = await fetch("/admin/jobs");
    if (response.status === 401) return location.assign("/admin");
    const current = find("#jobs", parsePage(await response.text()));
    const section = find("#jobs[data-running]");
    if (!response.ok || !current || !section) return void setTimeout(pollJob, RETRY_MS);
    if (!("running" in current.dataset)) {
      const page = await fetch("/admin");
      const hadFocus = find("#jobs").contains(document.activeElement);
      replaceMain(parsePage(await page.text()), true);
      if (hadFocus) find("#item").focus();
      const last = find("#jobs .jobs li");
      announce(`The training is over. ${last ? last.textContent.replace(/\s+/g, " ").trim() : ""}`);
      return;
    }
    updateProgress(section, current);
  } catch { /* the service does not respond; it may come back */ }
  setTimeout(pollJob, POLL_MS);
}

// Updates the section in place, so that the focus and the screen reader's position stay.
function updateProgress(section, current) {
  const bar = find("progress", section);
  const currentBar = find("progress", current);
  if (currentBar.hasAttribute("value")) {
    bar.max = currentBar.max;
    bar.value = currentBar.value;
  } else {
    bar.removeAttribute("value");
  }
  find("label", section).textContent = find("label", current).textContent;
  find("progress + span", section).textContent = find("progress + span", current).textContent;
  find("p", section).replaceChildren(...find("p", current).childNodes);
}

function initPage() {
  initSlider();
  initRadios();
  const keys = find("#keys");
  if (keys) keys.hidden = false;
  pollJob();
}

initPage();
