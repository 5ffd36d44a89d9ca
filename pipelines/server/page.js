"use strict";

// The page asks the same interface as everybody else; what it shows is text, never markup.

const one = (root, selector) => root.querySelector(selector);

async function ask(path, body, method) {
  const token = one(document, "#token").value;
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method: method || (body === undefined ? "GET" : "POST"),
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

// Zeros of an input's shape, its rows left out; whatever may be legal is.
function example(tensor) {
  const sizes = tensor.tensor_shape.dim.map((dim) => Number(dim.size)).filter((size) => size >= 0);
  let value = () => (tensor.dtype === "DT_BOOL" ? true : 0);
  for (const size of sizes.reverse()) {
    const inner = value;
    value = () => Array.from({ length: size }, inner);
  }
  return value();
}

// Large inputs are shown on one line each.
function written(inputs) {
  const lines = Object.entries(inputs).map(([name, x]) => `  "${name}": ${JSON.stringify(x)}`);
  return `{\n${lines.join(",\n")}\n}`;
}

function examples(signature) {
  const inputs = Object.entries(signature.inputs).filter(([name]) => name !== "seed");
  const shown = Object.fromEntries(inputs.map(([name, tensor]) => [name, example(tensor)]));
  if ("seed" in signature.inputs) shown.seed = [0, 0];
  return shown;
}

async function show(model) {
  const root = one(document, "#model").content.cloneNode(true).firstElementChild;
  const form = one(root, "form");
  const answer = one(root, ".answer");
  const path = `/v1/models/${model.name}`;
  const about = (await ask(`${path}/metadata`)).metadata;
  const ours = about.lookahead;
  const signatures = about.signature_def.signature_def;
  const options = Object.entries(ours.options)
    .map(([name, [value, most]]) => `${name} ${value}${most ? ` of at most ${most}` : ""}`);
  one(root, "h2").textContent = model.name;
  one(root, ".about").textContent = [`version ${model.version}`, ...options,
    ours.rows_together ? `batches of ${ours.batch_sizes.join(", ")}` : "row by row"].join(" · ");
  one(root, ".description").textContent = ours.description;
  for (const name of ["serving_default", "step_with_options", "initial_state"]) {
    if (name in signatures) form.signature.add(new Option(name));
  }

  const fill = () => { form.inputs.value = written(examples(signatures[form.signature.value])); };
  const tried = async (action) => {
    try {
      answer.textContent = "…";
      answer.textContent = JSON.stringify(await action(JSON.parse(form.inputs.value)), null, 1);
    } catch (error) {
      answer.textContent = error.message;
    }
  };

  form.signature.onchange = fill;
  form.onsubmit = (event) => {
    event.preventDefault();
    tried((inputs) => {
      const name = form.signature.value;
      const body = name === "initial_state" ? { inputs } : { instances: [inputs] };
      return ask(`${path}:predict`, { signature_name: name, ...body });
    });
  };
  let episode = null;
  form.begin.onclick = () => tried(async () => {
    if (episode) await ask(`${path}/episodes/${episode}`, undefined, "DELETE").catch(() => {});
    const begun = await ask(`${path}/episodes`, {});
    episode = begun.episode;
    form.episode.value = `seed ${begun.seed}`;
    form.step.disabled = false;
    return begun;
  });
  form.step.onclick = () => tried((inputs) => {
    const names = Object.keys(inputs).filter((n) => n !== "seed" && !n.startsWith("state_"));
    const row = Object.fromEntries(names.map((name) => [name, inputs[name]]));
    return ask(`${path}/episodes/${episode}:step`, row);
  });
  form.play.hidden = !ours.board;
  form.play.onclick = () => tried(async () => {
    const begun = await ask(`${path}/boards`, {});
    location.href = begun.path;
    return begun;
  });
  fill();
  return root;
}

async function load() {
  const trouble = one(document, "#trouble");
  trouble.hidden = true;
  try {
    const { models } = await ask("/v1/models");
    one(document, "#models").replaceChildren(...await Promise.all(models.map(show)));
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

one(document, "#load").onclick = load;
load();
