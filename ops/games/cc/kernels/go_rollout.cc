#include "ops/games/cc/kernels/go_rollout.h"

#include <algorithm>

#include "ops/games/cc/kernels/go.h"
#include "ops/games/cc/kernels/go_patterns.h"

namespace lookahead {
namespace games {
namespace {

GoPatterns PatternsOf(const Rules& rules, const uint8_t* state, const Go& position) {
  const int player = position.header().to_play();
  return GoPatterns(position, StonesOf(rules, state, player), StonesOf(rules, state, 1 - player));
}

// The odds of all points for either colour, by the stones around them; what depends on the
// last move comes on top for one draw and is taken back.
class Odds {
 public:
  Odds(GoPatterns* patterns, const float* of_features, bool nakade)
      : patterns_(patterns), of_features_(of_features), nakade_(nakade) {
    for (auto& odds : odds_) std::fill_n(odds, kPadded, 0.0f);
    blocks_ = (patterns->board().NumPoints() + kBlock - 1) / kBlock;
  }

  // A point that may be played, or 0.
  int Draw(const Rules& rules, GoBoard::Colour mover, uint64_t ko_hash, Random* random) {
    float* odds = odds_[mover - GoBoard::kFirst];
    patterns_->TakeChanged(mover, [&](int point) { odds[point] = OddsOf(point, mover); });
    num_changes_ = 0;
    patterns_->VisitOthers(mover, nakade_, [&](int point, int feature, int) {
      Change(odds, point, odds[point] * of_features_[feature]);
    });
    int point;
    while ((point = DrawAny(odds, random)) != 0) {
      const GoBoard::Try found = patterns_->board().TryAt(point, mover);
      if (Go::Stays(rules, found) && found.hash != ko_hash) break;
      Change(odds, point, 0.0f);
    }
    while (num_changes_ > 0) {
      --num_changes_;
      odds[changes_[num_changes_].point] = changes_[num_changes_].before;
    }
    return point;
  }

 private:
  static constexpr int kBlock = 16;
  static constexpr int kPadded = (GoBoard::kMaxPoints + kBlock - 1) / kBlock * kBlock;
  struct Changed {
    int point;
    float before;
  };

  float OddsOf(int point, GoBoard::Colour mover) const {
    const GoBoard& board = patterns_->board();
    if (board.ColourAt(point) != GoBoard::kEmpty) return 0.0f;
    if (!patterns_->IsOpen(point) && board.IsEye(point, mover)) return 0.0f;
    return of_features_[patterns_->PatternOf(point, mover)];
  }

  void Change(float* odds, int point, float value) {
    changes_[num_changes_++] = {point, odds[point]};
    odds[point] = value;
  }

  // A point in proportion to the odds; 0 where all are 0. The sums of blocks are added in
  // one order, whatever vectors the compiler makes of them.
  int DrawAny(const float* odds, Random* random) const {
    float sums[kPadded / kBlock], total = 0.0f;
    for (int block = 0; block < blocks_; ++block) {
      sums[block] = BlockSum(odds + kBlock * block);
      total += sums[block];
    }
    if (!(total > 0.0f)) return 0;
    float left = static_cast<float>(random->Unit()) * total;
    int block = 0;
    while (block + 1 < blocks_ && left >= sums[block]) left -= sums[block++];
    for (int point = kBlock * block; point < kBlock * (block + 1); ++point) {
      if (left < odds[point]) return point;
      left -= odds[point];
    }
    // What rounding has left over belongs to the last point that can be drawn.
    for (int point = kBlock * blocks_ - 1; point > 0; --point) {
      if (odds[point] > 0.0f) return point;
    }
    return 0;
  }

  static float BlockSum(const float* odds) {
    float lanes[4] = {};
    for (int i = 0; i < kBlock; i += 4) {
      for (int lane = 0; lane < 4; ++lane) lanes[lane] += odds[i + lane];
    }
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }

  GoPatterns* patterns_;
  const float* of_features_;
  bool nakade_;
  int blocks_, num_changes_ = 0;
  // Twelve responses of three kinds, shapes, saving moves, and those that were illegal.
  Changed changes_[2 * GoBoard::kMaxPoints + 64];
  float odds_[2][kPadded];
};

}  // namespace

float RolloutByOdds(const Rules& rules, const uint8_t* state, const float* odds, bool nakade,
                    Random* random) {
  const Go position(rules, state);
  Header header = position.header();
  const int player = header.to_play();
  GoPatterns patterns = PatternsOf(rules, state, position);
  Odds moves(&patterns, odds, nakade);
  uint64_t ko_hash = position.KoHash();
  while (!header.over()) {
    const auto mover = header.to_play() == 0 ? GoBoard::kFirst : GoBoard::kSecond;
    const int point = moves.Draw(rules, mover, ko_hash, random);
    ko_hash = patterns.board().hash();
    point == 0 ? patterns.Pass() : patterns.Play(point, mover);
    Go::Advance(rules, patterns.board(), point == 0, &header);
  }
  return header.Outcome(player);
}

void WriteGoFeatures(const Rules& rules, const uint8_t* state, bool nakade, int32_t* features) {
  const Go position(rules, state);
  PatternsOf(rules, state, position).Write(position, nakade, features);
}

}  // namespace games
}  // namespace lookahead
