// The games for callers without TensorFlow: plain C, for ctypes. States are played one
// after the other in the caller's thread. Each function returns 0, or 4 · row +
// fault for the first row that has one; what it writes is whole only with 0.

#include "ops/games/cc/kernels/games_cpu.h"
#include "ops/games/cc/kernels/go_patterns.h"
#include "ops/games/cc/kernels/go_planes.h"

namespace lookahead {
namespace games {
namespace {

template <typename OneRow>
int64_t ForEachRow(int64_t batch, const OneRow& one_row) {
  for (int64_t row = 0; row < batch; ++row) {
    const Fault fault = one_row(row);
    if (fault != kNoFault) return row * 4 + fault;
  }
  return 0;
}

}  // namespace

extern "C" {

// What is wrong with rules, or null.
const char* lookahead_games_fault_of_rules(const Rules* rules) { return FaultOfRules(*rules); }

// Bytes of a state.
int64_t lookahead_games_state_size(const Rules* rules) { return rules->StateSize(); }

// state, next: [batch, S]; action, reward, discount: [batch]; legal: [batch, A].
int64_t lookahead_games_step(const Rules* rules, int64_t batch, const uint8_t* state,
                             const int32_t* action, uint8_t* next, float* reward, float* discount,
                             bool* legal) {
  const int64_t size = rules->StateSize(), num_actions = rules->NumActions();
  return ForEachRow(batch, [=](int64_t row) {
    return Step(*rules, state + row * size, action[row], next + row * size, reward + row,
                discount + row, legal + row * num_actions);
  });
}

// legal: [batch, A].
int64_t lookahead_games_legal(const Rules* rules, int64_t batch, const uint8_t* state,
                              bool* legal) {
  const int64_t size = rules->StateSize(), num_actions = rules->NumActions();
  return ForEachRow(batch, [=](int64_t row) {
    return Legal(*rules, state + row * size, legal + row * num_actions);
  });
}

// planes: [batch, H, W, P].
int64_t lookahead_games_observe(const Rules* rules, int64_t batch, const uint8_t* state,
                                float* planes) {
  const int64_t size = rules->StateSize(), numbers = rules->Cells() * rules->NumPlanes();
  return ForEachRow(batch, [=](int64_t row) {
    return Observe(*rules, state + row * size, planes + row * numbers);
  });
}

// outcome: [batch].
int64_t lookahead_games_rollout(const Rules* rules, int64_t batch, const uint8_t* state,
                                uint64_t seed, float* outcome) {
  const int64_t size = rules->StateSize();
  return ForEachRow(batch, [=](int64_t row) {
    return Rollout(*rules, state + row * size, seed, row, outcome + row);
  });
}

// AlphaGo's planes of Go: [batch, H, W, 48].
int64_t lookahead_games_go_planes(const Rules* rules, int64_t batch, const uint8_t* state,
                                  int64_t ladder_moves, float* planes) {
  const int64_t size = rules->StateSize(), numbers = rules->Cells() * kNumGoPlanes;
  return ForEachRow(batch, [=](int64_t row) {
    return GoPlanes(*rules, state + row * size, static_cast<int>(ladder_moves),
                    planes + row * numbers);
  });
}

// The rollout policy's features: [batch, A, 6].
int64_t lookahead_games_go_features(const Rules* rules, int64_t batch, const uint8_t* state,
                                    int64_t nakade, int32_t* features) {
  const int64_t size = rules->StateSize(), numbers = rules->NumActions() * kFeaturesAMove;
  return ForEachRow(batch, [=](int64_t row) {
    return GoFeatures(*rules, state + row * size, nakade != 0, features + row * numbers);
  });
}

// odds: one a feature, which FaultOfOdds has been asked about; outcome: [batch].
int64_t lookahead_games_go_rollout(const Rules* rules, int64_t batch, const uint8_t* state,
                                   const float* odds, int64_t nakade, uint64_t seed,
                                   float* outcome) {
  const int64_t size = rules->StateSize();
  return ForEachRow(batch, [=](int64_t row) {
    return GoRollout(*rules, state + row * size, odds, nakade != 0, seed, row, outcome + row);
  });
}

const char* lookahead_games_fault_of_odds(const float* odds, int64_t size) {
  return FaultOfOdds(odds, size);
}

}  // extern "C"

}  // namespace games
}  // namespace lookahead
