#include "ops/games/cc/kernels/games_cpu.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ops/games/cc/kernels/go.h"
#include "ops/games/cc/kernels/go_patterns.h"
#include "ops/games/cc/kernels/go_planes.h"
#include "ops/games/cc/kernels/go_rollout.h"
#include "ops/games/cc/kernels/in_a_row.h"
#include "ops/games/cc/kernels/othello.h"
#include "ops/games/cc/kernels/random.h"

namespace lookahead {
namespace games {
namespace {

// Calls `run` with the game's position of a valid state.
template <typename Run>
Fault WithPosition(const Rules& rules, const uint8_t* state, const Run& run) {
  if (rules.game == kGo) return run(Go(rules, state));
  if (rules.game == kOthello) return run(Othello(rules, state));
  return run(InARow(rules, state));
}

// Copies a state with all stones a board older.
void Age(const Rules& rules, const uint8_t* state, uint8_t* next) {
  const int begin = 4, end = begin + 2 * rules.Cells();
  for (int i = begin; i < end; ++i) next[i] = static_cast<uint8_t>(state[i] << 1);
  if (next != state) std::memcpy(next + end, state + end, rules.StateSize() - end);
}

// The planes of four boards at one cell, by four bits of the own stones' byte
// below four bits of the others'.
constexpr int kBoards = 4;
using PlaneTable = std::array<std::array<float, 2 * kBoards>, 1 << 2 * kBoards>;
constexpr PlaneTable MakePlaneTable() {
  PlaneTable table{};
  for (int bits = 0; bits < 1 << 2 * kBoards; ++bits) {
    for (int age = 0; age < kBoards; ++age) {
      table[bits][2 * age] = static_cast<float>(bits >> age & 1);
      table[bits][2 * age + 1] = static_cast<float>(bits >> (kBoards + age) & 1);
    }
  }
  return table;
}
constexpr PlaneTable kPlanes = MakePlaneTable();

// One cell's planes of up to four boards, of which the newest is bit 0.
template <int kSize>
void ShowCell(int own, int other, float* planes) {
  const int bits = (own & 15) | (other & 15) << kBoards;
  std::memcpy(planes, kPlanes[bits].data(), kSize * sizeof(float));
}

template <int kHistory>
void Show(int cells, const uint8_t* own, const uint8_t* other, float colour, float* planes) {
  constexpr int kNear = kHistory < kBoards ? kHistory : kBoards, kFar = kHistory - kNear;
  for (int cell = 0; cell < cells; ++cell, planes += 2 * kHistory + 1) {
    ShowCell<2 * kNear>(own[cell], other[cell], planes);
    if (kFar > 0) ShowCell<2 * kFar>(own[cell] >> 4, other[cell] >> 4, planes + 2 * kNear);
    planes[2 * kHistory] = colour;
  }
}

using Shower = void (*)(int, const uint8_t*, const uint8_t*, float, float*);
constexpr Shower kShowers[kMaxHistory] = {Show<1>, Show<2>, Show<3>, Show<4>,
                                          Show<5>, Show<6>, Show<7>, Show<8>};

template <typename Position>
void PlayOut(Position* position, Random* random) {
  int actions[64];
  while (!position->header().over()) {
    const int count = position->Actions(actions);
    if (count == 0) return;  // A full board that does not say it is over.
    position->Play(actions[random->Below(count)]);
  }
}

void PlayOut(Go* position, Random* random) { position->PlayOut(random); }

}  // namespace

Fault Step(const Rules& rules, const uint8_t* state, int32_t action, uint8_t* next, float* reward,
           float* discount, bool* legal) {
  if (!IsValid(rules, state)) return kBadState;
  const Header before = ReadHeader(state);
  std::fill_n(legal, rules.NumActions(), false);
  if (before.over()) {
    if (next != state) std::memcpy(next, state, rules.StateSize());
    *reward = *discount = 0.0f;
    return kNoFault;
  }
  return WithPosition(rules, state, [&](auto position) {
    if (!position.IsLegal(action)) return kIllegalAction;
    position.Play(action);
    const Header& after = position.header();
    Age(rules, state, next);
    WriteHeader(after, next);
    position.Store(rules, next);
    *reward = after.Outcome(before.to_play());
    *discount = after.over() ? 0.0f : -1.0f;
    if (!after.over()) position.Legal(legal);
    return kNoFault;
  });
}

Fault Legal(const Rules& rules, const uint8_t* state, bool* legal) {
  if (!IsValid(rules, state)) return kBadState;
  std::fill_n(legal, rules.NumActions(), false);
  if (ReadHeader(state).over()) return kNoFault;
  return WithPosition(rules, state, [&](const auto& position) {
    position.Legal(legal);
    return kNoFault;
  });
}

Fault Observe(const Rules& rules, const uint8_t* state, float* planes) {
  if (!IsValid(rules, state)) return kBadState;
  const int player = ReadHeader(state).to_play();
  kShowers[rules.history - 1](rules.Cells(), StonesOf(rules, state, player),
                              StonesOf(rules, state, 1 - player), player == 0 ? 1.0f : 0.0f,
                              planes);
  return kNoFault;
}

Fault Rollout(const Rules& rules, const uint8_t* state, uint64_t seed, uint64_t row,
              float* outcome) {
  if (!IsValid(rules, state)) return kBadState;
  const int player = ReadHeader(state).to_play();
  Random random(seed, row);
  return WithPosition(rules, state, [&](auto position) {
    PlayOut(&position, &random);
    *outcome = position.header().Outcome(player);
    return kNoFault;
  });
}

Fault GoPlanes(const Rules& rules, const uint8_t* state, int ladder_moves, float* planes) {
  if (!IsValid(rules, state)) return kBadState;
  WriteGoPlanes(rules, state, ladder_moves, planes);
  return kNoFault;
}

Fault GoFeatures(const Rules& rules, const uint8_t* state, bool nakade, int32_t* features) {
  if (!IsValid(rules, state)) return kBadState;
  WriteGoFeatures(rules, state, nakade, features);
  return kNoFault;
}

Fault GoRollout(const Rules& rules, const uint8_t* state, const float* odds, bool nakade,
                uint64_t seed, uint64_t row, float* outcome) {
  if (!IsValid(rules, state)) return kBadState;
  Random random(seed, row);
  *outcome = RolloutByOdds(rules, state, odds, nakade, &random);
  return kNoFault;
}

static_assert(kNumGoFeatures == 172042, "as the message below says");
const char* FaultOfOdds(const float* odds, int64_t size) {
  if (size != kNumGoFeatures) return "odds are not one a feature, 172042";
  bool good = true;
  for (int64_t i = 0; i < size; ++i) good &= odds[i] >= 0.0f && odds[i] <= 1e6f;
  return good ? nullptr : "odds are not 0 to 1e6, whose sixth power float32 holds";
}

const char* FaultOfLadderMoves(int64_t ladder_moves) {
  const bool good = ladder_moves >= 0 && ladder_moves <= kMaxLadderMoves;
  return good ? nullptr : "ladder_moves is not 0 to 200";
}

}  // namespace games
}  // namespace lookahead
