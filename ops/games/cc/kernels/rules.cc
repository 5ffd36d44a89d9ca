#include "ops/games/cc/kernels/rules.h"

#include <cmath>

namespace lookahead {
namespace games {

const char* FaultOfRules(const Rules& rules) {
  if (rules.game < 0 || rules.game >= kNumGames) return "game is none of 0 to 3";
  const int wanted[kNumGames] = {3, 6, rules.size, rules.size};
  if (rules.size != wanted[rules.game]) return "size is not the game's";
  if (rules.game == kOthello && rules.size != 6 && rules.size != 8) return "size is not 6 or 8";
  if (rules.game == kGo && (rules.size < kMinGoSize || rules.size > kMaxGoSize)) {
    return "size is not 5 to 19";
  }
  if (rules.history < 1 || rules.history > kMaxHistory) return "history is not 1 to 8";
  if (rules.max_moves < 1 || rules.max_moves > kMaxMoves) return "max_moves is not 1 to 65535";
  if (!std::isfinite(rules.komi)) return "komi is not finite";
  return nullptr;
}

bool IsValid(const Rules& rules, const uint8_t* state) {
  const Header header = ReadHeader(state);
  if (header.status >= kNumStatuses) return false;
  if (header.moves >= rules.max_moves + header.over()) return false;
  if (header.passes > (rules.game == kGo ? 1 + header.over() : 0)) return false;
  const int cells = rules.Cells();
  const uint8_t *first = StonesOf(rules, state, 0), *second = StonesOf(rules, state, 1);
  uint8_t both = 0;
  for (int cell = 0; cell < cells; ++cell) both |= first[cell] & second[cell];
  return both == 0;
}

}  // namespace games
}  // namespace lookahead
