// The features of AlphaGo's rollout policy (Silver et al. 2016, extended data table 4),
// kept up to date while stones are played.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_PATTERNS_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_PATTERNS_H_

#include <algorithm>
#include <cstdint>

#include "ops/games/cc/kernels/go.h"
#include "ops/games/cc/kernels/go_board.h"

namespace lookahead {
namespace games {

// Where each kind of feature begins. Patterns are too many to be listed: they are
// hashed into tables, so some share a place.
constexpr int kNakadeBits = 13, kResponseBits = 15, kPatternBits = 17;
enum GoFeature {
  kResponse,                                          // one of twelve points around the last move
  kSaveAtari,                                         // saves an own chain from being taken
  kNeighbour,                                         // beside the last move, by direction
  kNakade = kNeighbour + 8,                           // where stones were taken, by their shape
  kResponsePattern = kNakade + (1 << kNakadeBits),    // and the twelve points' stones
  kPattern = kResponsePattern + (1 << kResponseBits)  // the eight points around
};
constexpr int kNumGoFeatures = kPattern + (1 << kPatternBits);

// The kinds that a move has one feature of at most, in the order in which they are told.
constexpr int kFeaturesAMove = 6;

class GoPatterns {
 public:
  // `own` and `other`: the stones' bytes of who is to move, and of who was.
  GoPatterns(const Go& position, const uint8_t* own, const uint8_t* other);

  const GoBoard& board() const { return board_; }

  // Plays for either colour; the other one is to move then.
  void Play(int point, GoBoard::Colour colour);
  void Pass();

  // Points whose `PatternOf` may have changed since this was last called for the player;
  // each once.
  template <typename Visit>
  void TakeChanged(GoBoard::Colour mover, const Visit& visit);

  // Whether a point has an empty one beside it, so that it is nobody's eye.
  bool IsOpen(int point) const {
    constexpr uint32_t kBeside = 1u << 3 | 1u << 9 | 1u << 12 | 1u << 18;
    const uint32_t kinds = around_[point];
    return (~(kinds | kinds >> 1 | kinds >> 2) & kBeside) != 0;
  }

  // The feature of the eight points around an empty point.
  int PatternOf(int point, GoBoard::Colour mover) const;

  // Calls visit(point, feature, kind) for all other features of moves of the mover: kinds
  // are 1 to 5. Points are empty, but nothing is known of whether they are legal.
  template <typename Visit>
  void VisitOthers(GoBoard::Colour mover, bool nakade, const Visit& visit);

  // The same, in the order of `kFeaturesAMove`, -1 where there is none, for each action
  // that is legal and fills no eye; all -1 elsewhere. Writes kFeaturesAMove for each.
  void Write(const Go& position, bool nakade, int32_t* features);

  // Whether all that is kept is as if it was made anew, for tests.
  bool IsConsistent() const;

 private:
  // What stands on a point: 0; 4 beyond the board; 1 to 3, 5 to 7: a stone of the first
  // or second player whose chain has 1, 2 or more liberties.
  using Kind = uint8_t;
  static constexpr Kind kBeyond = 4;

  // Kinds of three bits each, as the player sees them who has the first one's stones.
  static uint64_t SeenBy(GoBoard::Colour mover, uint64_t kinds, uint64_t ones) {
    const uint64_t stones = (kinds | kinds >> 1) & ones;
    return mover == GoBoard::kFirst ? kinds : kinds ^ stones << 2;
  }

  Kind KindOf(int chain) const;
  void SetKind(int point, Kind kind);
  void Refresh(int chain, bool joined);
  void Note(int point);
  template <typename Visit>
  void VisitResponses(GoBoard::Colour mover, const Visit& visit) const;
  template <typename Visit>
  void VisitSaving(GoBoard::Colour mover, const Visit& visit);
  template <typename Visit>
  void VisitNakade(const Visit& visit) const;

  GoBoard board_;
  int around_ways_[8], opposite_[8];
  int last_ = 0;  // the last move's point; 0: a pass, or a suicide
  int num_taken_ = 0;
  uint16_t taken_[GoBoard::kMaxPoints];           // by the last move
  int num_changed_[2] = {};                       // for the first player, and for the second
  uint16_t changed_[2][GoBoard::kMaxPoints + 1];  // a place more: `Note` may write there

  uint8_t is_changed_[GoBoard::kMaxPoints];  // a bit for each
  int num_atari_ = 0;
  uint16_t atari_[GoBoard::kMaxPoints];  // stones of chains that may be in atari
  bool is_atari_[GoBoard::kMaxPoints];
  Kind kind_[GoBoard::kMaxPoints];
  uint32_t around_[GoBoard::kMaxPoints];  // kinds of the eight points around
};

inline GoPatterns::GoPatterns(const Go& position, const uint8_t* own, const uint8_t* other)
    : board_(position.board()) {
  const int stride = board_.stride(), points = board_.NumPoints();
  const int ways[8] = {-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1};
  for (int i = 0; i < 8; ++i) {
    around_ways_[i] = ways[i];
    opposite_[i] = 7 - i;
  }
  for (int point = 0; point < points; ++point) {
    is_changed_[point] = 0;
    is_atari_[point] = false;
    kind_[point] = board_.ColourAt(point) == GoBoard::kWall ? kBeyond : 0;
  }
  const int cells = position.rules().Cells();
  for (int cell = 0; cell < cells; ++cell) {
    const int point = board_.PointOf(cell);
    uint32_t kinds = 0;
    for (int i = 0; i < 8; ++i) kinds |= uint32_t{kind_[point + ways[i]]} << 3 * i;
    around_[point] = kinds;
    Note(point);
    if ((own[cell] & 3) == 2) taken_[num_taken_++] = static_cast<uint16_t>(point);
    if ((other[cell] & 3) == 1 && last_ == 0) last_ = point;
  }
  for (int cell = 0; cell < cells; ++cell) {
    const int point = board_.PointOf(cell);
    if (board_.ChainAt(point) == point) Refresh(point, true);
  }
}

inline GoPatterns::Kind GoPatterns::KindOf(int chain) const {
  const int base = board_.ColourAt(chain) == GoBoard::kFirst ? 1 : 5;
  if (board_.InAtari(chain)) return static_cast<Kind>(base);
  int first = 0, second = 0, stone = chain;
  do {
    for (int i = 0; i < 4; ++i) {
      const int next = stone + board_.ways()[i];
      if (board_.ColourAt(next) != GoBoard::kEmpty || next == first || next == second) continue;
      if (second != 0) return static_cast<Kind>(base + 2);
      (first == 0 ? first : second) = next;
    }
    stone = board_.NextStone(stone);
  } while (stone != chain);
  return static_cast<Kind>(base + 1);
}

inline void GoPatterns::Note(int point) {
  const int changed = is_changed_[point];
  for (int player = 0; player < 2; ++player) {
    changed_[player][num_changed_[player]] = static_cast<uint16_t>(point);
    num_changed_[player] += ~changed >> player & 1;
  }
  is_changed_[point] = 3;
}

inline void GoPatterns::SetKind(int point, Kind kind) {
  const uint32_t change = kind_[point] ^ kind;
  if (change == 0) return;
  kind_[point] = kind;
  Note(point);
  for (int i = 0; i < 8; ++i) {
    const int next = point + around_ways_[i];
    if (kind_[next] == kBeyond) continue;
    around_[next] ^= change << 3 * opposite_[i];
    if (kind_[next] == 0) Note(next);
  }
}

// A chain's stones get the kind that it has by now; those of one that nothing joined have
// had one kind.
inline void GoPatterns::Refresh(int chain, bool joined) {
  const Kind kind = KindOf(chain);
  if (!joined && kind_[chain] == kind) return;
  int stone = chain;
  do {
    SetKind(stone, kind);
    stone = board_.NextStone(stone);
  } while (stone != chain);
  if ((kind & 3) == 1 && !is_atari_[chain]) {
    is_atari_[chain] = true;
    atari_[num_atari_++] = static_cast<uint16_t>(chain);
  }
}

inline void GoPatterns::Play(int point, GoBoard::Colour colour) {
  board_.Play(point, colour);
  num_taken_ = board_.num_taken();
  for (int i = 0; i < num_taken_; ++i) {
    taken_[i] = static_cast<uint16_t>(board_.taken(i));
    SetKind(taken_[i], 0);
  }
  int refreshed[4] = {}, count = 0;
  const auto refresh = [&](int chain) {
    for (int i = 0; i < count; ++i) {
      if (refreshed[i] == chain) return;
    }
    refreshed[count++ & 3] = chain;
    if (count > 4) count = 4;
    Refresh(chain, false);
  };
  const bool stands = board_.IsStone(point);
  last_ = stands ? point : 0;
  if (!stands) num_taken_ = 0;  // Its own.
  if (stands) Refresh(board_.ChainAt(point), true);
  for (int i = 0; i < 4; ++i) {
    const int next = point + board_.ways()[i];
    if (board_.ColourAt(next) == GoBoard::Other(colour)) refresh(board_.ChainAt(next));
  }
  for (int taken = 0; taken < board_.num_taken(); ++taken) {
    for (int i = 0; i < 4; ++i) {
      const int next = board_.taken(taken) + board_.ways()[i];
      if (board_.IsStone(next)) refresh(board_.ChainAt(next));
    }
  }
}

inline void GoPatterns::Pass() { last_ = num_taken_ = 0; }

template <typename Visit>
void GoPatterns::TakeChanged(GoBoard::Colour mover, const Visit& visit) {
  const int player = mover - GoBoard::kFirst;
  for (int i = 0; i < num_changed_[player]; ++i) {
    is_changed_[changed_[player][i]] &= ~(1 << player);
    visit(changed_[player][i]);
  }
  num_changed_[player] = 0;
}

inline int GoPatterns::PatternOf(int point, GoBoard::Colour mover) const {
  const auto seen = static_cast<uint32_t>(SeenBy(mover, around_[point], 011111111));
  return kPattern + static_cast<int>((seen * 0x9e3779b1u) >> (32 - kPatternBits));
}

template <typename Visit>
void GoPatterns::VisitOthers(GoBoard::Colour mover, bool nakade, const Visit& visit) {
  VisitResponses(mover, visit);
  VisitSaving(mover, visit);
  if (nakade) VisitNakade(visit);
}

// Twelve points: those around the last move, then those two steps away.
template <typename Visit>
void GoPatterns::VisitResponses(GoBoard::Colour mover, const Visit& visit) const {
  if (last_ == 0) return;
  int points[12];
  uint64_t kinds = 0;
  for (int i = 0; i < 12; ++i) {
    const int way = i < 8 ? around_ways_[i] : board_.ways()[i - 8];
    points[i] = last_ + way;
    Kind kind = kind_[points[i]];
    if (i >= 8 && kind != kBeyond) kind = kind_[points[i] += way];
    kinds |= uint64_t{kind} << 3 * i;
  }
  const uint64_t seen = SeenBy(mover, kinds, 0111111111111) << 4;
  for (int i = 0; i < 12; ++i) {
    if ((kinds >> 3 * i & 7) != 0) continue;
    const uint64_t mixed = (seen | static_cast<uint64_t>(i)) * 0x9e3779b97f4a7c15u;
    visit(points[i], kResponse, 1);
    visit(points[i], kResponsePattern + static_cast<int>(mixed >> (64 - kResponseBits)), 2);
    if (i < 8) visit(points[i], kNeighbour + i, 3);
  }
}

// Its liberty, where the chain then has two; and liberties of chains beside it that are
// taken. A point may save several chains: it is told once.
template <typename Visit>
void GoPatterns::VisitSaving(GoBoard::Colour mover, const Visit& visit) {
  int told[GoBoard::kMaxPoints], count = 0, kept = 0;
  const auto tell = [&](int point) {
    if (point == 0 || std::find(told, told + count, point) != told + count) return;
    told[count++] = point;
    visit(point, kSaveAtari, 4);
  };
  for (int i = 0; i < num_atari_; ++i) {
    const int chain = atari_[i];
    if (board_.ChainAt(chain) != chain || (kind_[chain] & 3) != 1) {
      is_atari_[chain] = false;
      continue;
    }
    atari_[kept++] = static_cast<uint16_t>(chain);
    if (board_.ColourAt(chain) != mover) continue;
    const int liberty = board_.OnlyLiberty(chain);
    if (liberty != 0 && board_.LibertiesAfter(liberty, mover, 2) == 2) tell(liberty);
    int stone = chain;
    do {
      for (int way = 0; way < 4; ++way) {
        const int next = stone + board_.ways()[way], beside = board_.ChainAt(next);
        const bool is_other = board_.ColourAt(next) == GoBoard::Other(mover);
        if (is_other && board_.InAtari(beside)) tell(board_.OnlyLiberty(beside));
      }
      stone = board_.NextStone(stone);
    } while (stone != chain);
  }
  num_atari_ = kept;
}

// Three to six stones' shape, as seen from each of them.
template <typename Visit>
void GoPatterns::VisitNakade(const Visit& visit) const {
  if (num_taken_ < 3 || num_taken_ > 6) return;
  const int stride = board_.stride();
  for (int i = 0; i < num_taken_; ++i) {
    if (board_.ColourAt(taken_[i]) != GoBoard::kEmpty) continue;
    uint64_t shape = 0;
    for (int j = 0; j < num_taken_; ++j) {
      const int rows = taken_[j] / stride - taken_[i] / stride;
      const int columns = taken_[j] % stride - taken_[i] % stride;
      shape += Mixed(static_cast<uint64_t>(64 * (rows + 32) + columns + 32));
    }
    visit(taken_[i], kNakade + static_cast<int>(shape >> (64 - kNakadeBits)), 5);
  }
}

inline void GoPatterns::Write(const Go& position, bool nakade, int32_t* features) {
  const int cells = position.rules().Cells();
  std::fill_n(features, (cells + 1) * kFeaturesAMove, -1);
  if (position.header().over()) return;
  bool legal[kMaxGoSize * kMaxGoSize + 1];
  position.Legal(legal);
  const GoBoard::Colour mover = position.mover();
  for (int cell = 0; cell < cells; ++cell) {
    const int point = board_.PointOf(cell);
    legal[cell] = legal[cell] && !board_.IsEye(point, mover);
    if (legal[cell]) features[cell * kFeaturesAMove] = PatternOf(point, mover);
  }
  VisitOthers(mover, nakade, [&](int point, int feature, int kind) {
    const int cell = board_.CellOf(point);
    if (legal[cell]) features[cell * kFeaturesAMove + kind] = feature;
  });
}

inline bool GoPatterns::IsConsistent() const {
  for (int point = board_.stride(); point < board_.NumPoints() - board_.stride(); ++point) {
    if (kind_[point] == kBeyond) continue;
    const int chain = board_.ChainAt(point);
    if (kind_[point] != (chain == 0 ? 0 : KindOf(chain))) return false;
    for (int i = 0; i < 8; ++i) {
      if ((around_[point] >> 3 * i & 7) != kind_[point + around_ways_[i]]) return false;
    }
    if (chain != 0 && (kind_[point] & 3) == 1) {
      if (std::find(atari_, atari_ + num_atari_, chain) == atari_ + num_atari_) return false;
    }
  }
  return true;
}

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_PATTERNS_H_
