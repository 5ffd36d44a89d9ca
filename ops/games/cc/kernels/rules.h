// A game's rules in numbers, and how its states lie in memory (ops/games/layout.py
// shows it). Free of TensorFlow, as all here but games_kernels.cc.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_RULES_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_RULES_H_

#include <cstdint>

namespace lookahead {
namespace games {

enum Game : int32_t { kTicTacToe, kConnectFour, kOthello, kGo, kNumGames };

constexpr int kMinGoSize = 5, kMaxGoSize = 19;
constexpr int kMaxHistory = 8;
constexpr int kMaxMoves = 65535;

// The structure Rules of ops/games/host.py.
struct Rules {
  int32_t game;
  int32_t size;  // rows of the board
  int32_t history;
  int32_t max_moves;
  int32_t suicide;
  int32_t superko;
  float komi;

  int Width() const { return game == kConnectFour ? 7 : size; }
  int Cells() const { return size * Width(); }
  int NumActions() const {
    if (game == kConnectFour) return Width();
    return game == kTicTacToe ? Cells() : Cells() + 1;
  }
  int NumPlanes() const { return 2 * history + 1; }
  int NumHashes() const { return game == kGo ? (superko ? max_moves : 1) : 0; }
  int HashesAt() const { return (4 + 2 * Cells() + 7) / 8 * 8; }
  int StateSize() const { return HashesAt() + 8 * NumHashes(); }
};

// What is wrong with rules, or null: one line that names the number.
const char* FaultOfRules(const Rules& rules);

enum Fault : int64_t { kNoFault, kBadState, kIllegalAction };

enum Status : uint8_t { kGoing, kFirstWon, kSecondWon, kDrawn, kNumStatuses };

// A state's first bytes.
struct Header {
  int moves;
  int status;
  int passes;

  bool over() const { return status != kGoing; }
  int to_play() const { return moves & 1; }

  // 1, 0 or -1 for the player, 0 the first; 0 while the game goes on.
  float Outcome(int player) const {
    if (status != kFirstWon && status != kSecondWon) return 0.0f;
    return (status == kFirstWon) == (player == 0) ? 1.0f : -1.0f;
  }

  // Ends the game by what the first player is ahead.
  void End(double ahead) { status = ahead == 0 ? kDrawn : ahead > 0 ? kFirstWon : kSecondWon; }
};

inline Header ReadHeader(const uint8_t* state) {
  return {state[0] | state[1] << 8, state[2], state[3]};
}

inline void WriteHeader(const Header& header, uint8_t* state) {
  state[0] = static_cast<uint8_t>(header.moves);
  state[1] = static_cast<uint8_t>(header.moves >> 8);
  state[2] = static_cast<uint8_t>(header.status);
  state[3] = static_cast<uint8_t>(header.passes);
}

// The stones of player 0 or 1: a byte a cell, a bit for each of the last boards.
inline const uint8_t* StonesOf(const Rules& rules, const uint8_t* state, int player) {
  return state + 4 + player * rules.Cells();
}
inline uint8_t* StonesOf(const Rules& rules, uint8_t* state, int player) {
  return state + 4 + player * rules.Cells();
}

// Whether header and cells are in range: what else is read leads nowhere.
bool IsValid(const Rules& rules, const uint8_t* state);

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_RULES_H_
