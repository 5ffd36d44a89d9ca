// What can be asked of a game, one state at a time, in the caller's thread.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GAMES_CPU_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GAMES_CPU_H_

#include <cstdint>

#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// Rules are right by FaultOfRules, states are StateSize() bytes. What a function
// gives is not to be read where it gives a fault.

// Plays an action: the state after it, which may lie where the one before does, the
// mover's reward, the discount, and what the next player may do, NumActions().
Fault Step(const Rules& rules, const uint8_t* state, int32_t action, uint8_t* next, float* reward,
           float* discount, bool* legal);

// What the player to move may do: NumActions(), none where the game is over.
Fault Legal(const Rules& rules, const uint8_t* state, bool* legal);

// What the player to move sees: Cells() times NumPlanes().
Fault Observe(const Rules& rules, const uint8_t* state, float* planes);

// How a game of random moves from here ends for the player to move: 1, 0 or -1.
// The row gives the state its own stream of the seed's numbers.
Fault Rollout(const Rules& rules, const uint8_t* state, uint64_t seed, uint64_t row,
              float* outcome);

// AlphaGo's view of Go, for rules of Go alone.

// What go_planes.h writes: Cells() times kNumGoPlanes.
Fault GoPlanes(const Rules& rules, const uint8_t* state, int ladder_moves, float* planes);

// What go_rollout.h writes: NumActions() times kFeaturesAMove.
Fault GoFeatures(const Rules& rules, const uint8_t* state, bool nakade, int32_t* features);

// As Rollout, by the odds [kNumGoFeatures] of features.
Fault GoRollout(const Rules& rules, const uint8_t* state, const float* odds, bool nakade,
                uint64_t seed, uint64_t row, float* outcome);

// What is wrong with such odds or numbers, or null: one line.
const char* FaultOfOdds(const float* odds, int64_t size);
const char* FaultOfLadderMoves(int64_t ladder_moves);

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GAMES_CPU_H_
