"use strict";

const POLL_MILLISECONDS = 250;
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

let look = null;
let state = null;
let chosen = null; // the square a move begins at
let asking = false; // the policy's own move, by itself

function make(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function row(cells) {
  const line = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function act(path, body) {
  chosen = null;
  try {
    show(await ask(path, body));
  } catch (error) {
    $("status").textContent = error.message;
  }
}

const same = (one, other) => one !== null && other !== null && one[0] === other[0] && one[1] === other[1];
const percent = (value) => value === null ? "" : `${Math.round(50 + 50 * value)} %`;

/* The moves that a click on a square may mean. In connect four a whole column is the move. */
function movesAt(square) {
  if (look.game === "connect_four") return state.moves.filter((move) => move.target[1] === square[1]);
  if (chosen !== null) {
    return state.moves.filter((move) => same(move.origin, chosen) && same(move.target, square));
  }
  return state.moves.filter((move) => move.origin === null && same(move.target, square));
}

function click(square) {
  if (state.moving) return;
  const moves = movesAt(square);
  if (moves.length === 1) {
    act("play", { action: moves[0].action });
  } else if (moves.length > 1) {
    offer(moves);
  } else {
    const begins = state.moves.some((move) => same(move.origin, square));
    chosen = begins && !same(chosen, square) ? square : null;
    drawBoard();
  }
}

function offer(moves) {
  $("choices").replaceChildren(...moves.map((move) => {
    const button = document.createElement("button");
    button.textContent = move.text;
    button.onclick = () => act("play", { action: move.action });
    return button;
  }));
}

function drawPiece(board, piece, x, y) {
  const player = Math.floor(piece / look.kinds);
  const letters = look.letters[player];
  if (letters === "") {
    board.append(make("circle", { cx: x + .5, cy: y + .5, r: .4, fill: look.paint[player] }));
    return;
  }
  const other = look.paint[1 - player];
  board.append(make("text", {
    class: "letter", x: x + .5, y: y + .53, fill: look.paint[player], "font-size": .74,
    stroke: other, "stroke-width": .03, "paint-order": "stroke",
  }, letters[piece % look.kinds]));
}

function drawThoughts(board) {
  if (state.found === null) return;
  const most = Math.max(...state.found.lines.map((line) => line.visits));
  const told = new Set();
  for (const line of state.found.lines) {
    if (line.target === null || told.has(String(line.target)) || line.visits < most / 50) continue;
    told.add(String(line.target)); // of several moves to a square the most visited one
    const [y, x] = line.target;
    const r = .3 + .15 * Math.sqrt(line.visits / most);
    board.append(make("circle", { class: "thought", cx: x + .5, cy: y + .5, r }));
    board.append(make("text", { class: "thought-words", x: x + .5, y: y + .47 }, line.visits));
    board.append(make("text", { class: "thought-words", x: x + .5, y: y + .73 }, percent(line.value)));
  }
}

function drawBoard() {
  const { height, width } = look;
  const board = $("board");
  board.setAttribute("viewBox", `-0.6 -0.1 ${width + .7} ${height + .7}`);
  board.replaceChildren();
  for (let y = 0; y < height; y++) {
    board.append(make("text", { class: "edge", x: -.3, y: y + .5 }, height - y));
    for (let x = 0; x < width; x++) {
      board.append(make("rect", { class: "square", x, y, width: 1, height: 1, fill: look.board }));
      if (state.pieces[y][x] !== look.empty) drawPiece(board, state.pieces[y][x], x, y);
    }
  }
  if (state.last && state.last.target && look.game !== "connect_four") {
    const [y, x] = state.last.target;
    board.append(make("rect", { class: "last", x: x + .05, y: y + .05, width: .9, height: .9 }));
  }
  drawThoughts(board);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const square = [y, x];
      const open = movesAt(square).length > 0 || state.moves.some((move) => same(move.origin, square));
      const cell = make("rect", {
        class: `cell${open ? " open" : ""}${same(chosen, square) ? " chosen" : ""}`,
        x, y, width: 1, height: 1, "data-square": `${y},${x}`,
      });
      if (open) cell.addEventListener("click", () => click(square));
      board.append(cell);
    }
  }
  const letters = look.game === "go" ? "ABCDEFGHJKLMNOPQRST" : "abcdefghijklmnopqrs";
  for (let x = 0; x < width; x++) {
    const text = look.game === "connect_four" ? x + 1 : letters[x];
    board.append(make("text", { class: "edge", x: x + .5, y: height + .3 }, text));
  }
}

function drawFound() {
  const body = $("lines").tBodies[0];
  if (state.found === null) {
    $("found").textContent = "nothing yet";
    body.replaceChildren();
    return;
  }
  const { simulations, value, lines } = state.found;
  $("found").textContent = `${simulations} simulations; it expects to win ${percent(value)}`;
  body.replaceChildren(...lines.slice(0, 8).map((line) =>
    row([line.text, line.visits, percent(line.value), line.words.join(" ")])));
}

function drawCurve() {
  const curve = $("curve");
  const steps = Math.max(state.values.length - 1, 10);
  curve.setAttribute("viewBox", "0 0 400 120");
  curve.setAttribute("preserveAspectRatio", "none");
  const at = (ply, value) => [8 + 384 * ply / steps, 60 - 52 * value];
  const points = state.values.flatMap((value, ply) => value === null ? [] : [at(ply, value)]);
  curve.replaceChildren(make("line", { class: "axis", x1: 0, x2: 400, y1: 60, y2: 60 }));
  curve.append(make("polyline", { class: "value", points: points.map((p) => p.join(",")).join(" ") }));
  for (const [cx, cy] of points) curve.append(make("circle", { cx, cy, r: 3 }));
}

function show(fresh) {
  state = fresh;
  drawBoard();
  drawFound();
  drawCurve();
  const side = state.turn === 0 ? "first" : "second";
  $("status").textContent = state.result !== null ? `The game is over: ${state.result}.`
    : state.moving ? `Thinking for the ${side} player …` : `The ${side} player is to move.`;
  offer(state.moves.filter((move) => move.target === null));
  $("played").textContent = state.played.map((text, ply) =>
    ply % 2 === 0 ? `${ply / 2 + 1}. ${text}` : text).join(" ");
  $("move").disabled = state.moving || state.result !== null;
  $("undo").disabled = state.moving || state.played.length === 0;
  $("restart").disabled = state.moving;
  $("stop").disabled = !state.moving;
  $("analyse").checked = state.analysing;
  if (Number($("plays").value) === state.turn && state.result === null && !state.moving) policyMoves();
}

async function policyMoves() {
  if (asking) return;
  asking = true;
  await act("move", { simulations: Math.max(1, Math.round(Number($("simulations").value) || 1)) });
  asking = false;
}

async function poll() {
  try {
    const fresh = await ask("state");
    if (state === null || fresh.version !== state.version) show(fresh);
  } catch (error) {
    $("status").textContent = "the program has ended";
  }
  setTimeout(poll, POLL_MILLISECONDS);
}

async function begin() {
  look = await ask("look");
  $("game").textContent = `Lookahead plays ${look.game.replace("_", " ")}`;
  document.title = $("game").textContent;
  $("simulations").value = look.simulations;
  $("simulations").max = look.most;
  $("move").onclick = policyMoves;
  $("stop").onclick = () => { $("plays").value = "-1"; act("stop", {}); };
  $("undo").onclick = () => { $("plays").value = "-1"; act("undo", {}); };
  $("restart").onclick = () => act("restart", {});
  $("analyse").onchange = (event) => act("analyse", { on: event.target.checked });
  $("plays").onchange = () => show(state);
  poll();
}

begin();
