// Games of Go that are played to their end by a linear softmax policy over features
// of moves: AlphaGo's rollout policy (Silver et al. 2016, methods: rollout policy).

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_ROLLOUT_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_ROLLOUT_H_

#include <cstdint>

#include "ops/games/cc/kernels/random.h"
#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// How a game from a valid state ends for the player to move: 1, 0 or -1. A move is drawn
// in proportion to the product of its features' odds [kNumGoFeatures], not negative; none
// fills an own eye, and where nothing is left it is a pass. Simple ko alone is heeded.
float RolloutByOdds(const Rules& rules, const uint8_t* state, const float* odds, bool nakade,
                    Random* random);

// The features of all actions of a valid state, see GoPatterns::Write.
void WriteGoFeatures(const Rules& rules, const uint8_t* state, bool nakade, int32_t* features);

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_ROLLOUT_H_
