// AlphaGo's planes of a position of Go (Silver et al. 2016, extended data table 2).

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_PLANES_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_PLANES_H_

#include <cstdint>

#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// Where each feature begins among a cell's planes; numbers have eight, for 1 to 7 and
// for 8 or more.
enum GoPlane {
  kOwnStone,
  kOtherStone,
  kNoStone,
  kOnes,
  kTurnsSince,
  kLiberties = kTurnsSince + 8,
  kCaptureSize = kLiberties + 8,
  kSelfAtariSize = kCaptureSize + 8,
  kLibertiesAfter = kSelfAtariSize + 8,
  kLadderCapture = kLibertiesAfter + 8,
  kLadderEscape,
  kSensible,
  kZeros,
  kNumGoPlanes
};

// Ladders are read for so many moves a point at most: a move on the board is 13 KB of
// the thread's stack while it is read.
constexpr int kMaxLadderMoves = 200;

// Writes the planes of a valid state, Cells() times kNumGoPlanes, as the player to move
// sees it. With no moves to read the ladders' planes are 0.
void WriteGoPlanes(const Rules& rules, const uint8_t* state, int ladder_moves, float* planes);

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_PLANES_H_
