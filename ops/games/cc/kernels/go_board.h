// Stones, chains and liberties of Go: a board that is set up once and then played
// on. It knows nothing of whose turn it is, of ko, or of the game's end.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_BOARD_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_BOARD_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "ops/games/cc/kernels/random.h"
#include "ops/games/cc/kernels/rules.h"

namespace lookahead {
namespace games {

// A point is an index into a board with walls: a row above and below, and a
// column that stands left of each row and right of the one before.
//
// A chain is named by one of its points; 0, which is a wall, stands for none. It
// counts its liberties once for each neighbouring stone, and keeps the sum of these
// points and of their squares: they are all the same point just where
// count · squares = sum², so nobody has to look for them.
class GoBoard {
 public:
  static constexpr int kMaxPoints = (kMaxGoSize + 2) * (kMaxGoSize + 1) + 1;
  enum Colour : uint8_t { kEmpty, kFirst, kSecond, kWall };

  // Bit 0 of each cell's byte is a stone.
  GoBoard(int size, const uint8_t* first, const uint8_t* second);

  // Copies as much as a board of its size has; what was taken last is forgotten.
  GoBoard(const GoBoard& other);
  GoBoard& operator=(const GoBoard&) = delete;

  // A hash of where which stones stand; 0 for the empty board.
  uint64_t hash() const { return hash_; }

  int PointOf(int cell) const { return (cell / size_ + 1) * stride_ + cell % size_ + 1; }
  int CellOf(int point) const { return (point / stride_ - 1) * size_ + point % stride_ - 1; }
  Colour ColourAt(int point) const { return static_cast<Colour>(colour_[point]); }
  bool IsStone(int point) const { return colour_[point] == kFirst || colour_[point] == kSecond; }
  static Colour Other(Colour colour) { return colour == kFirst ? kSecond : kFirst; }

  // Points are below this; the one below a point is a stride further.
  int NumPoints() const { return (size_ + 2) * stride_ + 1; }
  int stride() const { return stride_; }
  const int* ways() const { return ways_; }  // to the four neighbours

  // A stone's chain, else 0. Its stones are a ring that `NextStone` goes round.
  int ChainAt(int point) const { return chain_[point]; }
  int NextStone(int stone) const { return next_[stone]; }
  int SizeOf(int chain) const { return static_cast<int>(chains_[chain].stones); }

  // Whether a chain has one liberty; which, or 0 where it has none, as in garbage.
  bool InAtari(int chain) const { return AreOne(chains_[chain].liberties); }
  int OnlyLiberty(int chain) const;

  // Counts a chain's liberties, no further than `most`, and writes them.
  int FindLiberties(int chain, int most, int* liberties) const;

  // The liberties that the chain of a stone put on an empty point would have, counted
  // no further than `most`, which is 8 at most; 0 where it would be taken.
  int LibertiesAfter(int point, Colour colour, int most) const;

  // Writes the empty points, at most kMaxPoints; gives how many.
  int ListEmpty(uint16_t* points) const;

  // What a stone on an empty point would do.
  struct Try {
    bool stands;     // it or its chain keeps a liberty, others taken
    bool connected;  // it has a neighbour of its own colour
    uint64_t hash;   // of the board afterwards, all without a liberty taken
  };
  Try TryAt(int point, Colour colour) const;

  // The same for all points at once, but for the hash where something is taken: what
  // neighbours do for a stone of that colour, in bits.
  enum Side : uint8_t { kHelps = 1, kIsTaken = 2, kConnects = 4 };
  void SidesOf(Colour colour, uint8_t* sides) const;
  uint64_t HashWith(int point, Colour colour) const;

  // Puts a stone on an empty point, and takes what has no liberty: the other's
  // chains, then its own. The points that were taken are `taken(0)` and so on.
  void Play(int point, Colour colour);
  int num_taken() const { return num_taken_; }
  int taken(int i) const { return taken_[i]; }

  // Whether the point, empty, is an eye that its owner should not fill: all
  // neighbours are own stones or walls, and the corners cannot be cut.
  bool IsEye(int point, Colour colour) const;

  // Tromp-Taylor: stones and empty regions that only one colour reaches, the
  // first player's less the second's.
  int AreaAhead() const;

  // Adds the stones to bit 0 of each cell's byte, where it is 0.
  void Store(uint8_t* first, uint8_t* second) const;

 private:
  // Of liberties: their number, their sum and that of their squares, in 11, 20 and 28
  // bits of one number, so that one addition does for all three.
  using Liberties = uint64_t;
  using LibertyTable = std::array<Liberties, kMaxPoints>;
  static constexpr LibertyTable MakeLiberties() {
    LibertyTable table{};
    for (uint64_t point = 0; point < table.size(); ++point) {
      table[point] = uint64_t{1} << 48 | point << 28 | point * point;
    }
    return table;
  }
  static const LibertyTable kLiberties;  // a point as the only liberty
  // Whether there is one point of them at most.
  static bool AreOne(Liberties liberties) {
    const uint64_t count = liberties >> 48, sum = liberties >> 28 & 0xfffff;
    return count * (liberties & 0xfffffff) == sum * sum;
  }

  struct Chain {
    uint64_t hash;
    Liberties liberties;
    uint32_t stones;
  };

  static uint64_t KeyOf(int point, int colour);
  void MakeChains();
  void AddStone(int point);
  Liberties LibertiesOf(int point) const;
  template <typename Holds>
  int List(const Holds& holds, uint16_t* points) const;
  void StartChain(int point, uint64_t key, Liberties liberties);
  void Join(int one, int other);
  void Take(int chain);

  int size_, stride_;
  int ways_[4];
  uint64_t hash_ = 0;
  int num_taken_ = 0;
  uint8_t colour_[kMaxPoints];
  uint16_t chain_[kMaxPoints];  // of a stone; else 0
  uint16_t next_[kMaxPoints];   // the chain's next stone, in a ring
  uint16_t taken_[kMaxPoints];
  Chain chains_[kMaxPoints];
};

inline constexpr GoBoard::LibertyTable GoBoard::kLiberties = GoBoard::MakeLiberties();

// A key for each stone; a board's hash is those of its stones, combined by xor.
using GoKeys = std::array<uint64_t, 2 * GoBoard::kMaxPoints>;
constexpr GoKeys MakeGoKeys() {
  GoKeys keys{};
  for (uint64_t i = 0; i < keys.size(); ++i) keys[i] = Mixed((i + 1) * 0x9e3779b97f4a7c15u);
  return keys;
}
inline constexpr GoKeys kGoKeys = MakeGoKeys();

inline uint64_t GoBoard::KeyOf(int point, int colour) {
  return kGoKeys[(colour - kFirst) * kMaxPoints + point];
}

inline GoBoard::GoBoard(int size, const uint8_t* first, const uint8_t* second)
    : size_(size), stride_(size + 1), ways_{-stride_, -1, 1, stride_} {
  const int points = NumPoints();
  std::memset(colour_, kWall, points);
  std::memset(chain_, 0, points * sizeof(chain_[0]));
  for (int cell = 0; cell < size * size; cell += size) {
    uint8_t* colour = colour_ + PointOf(cell);
    for (int column = 0; column < size; ++column) {
      const int first_stone = first[cell + column] & 1, second_stone = second[cell + column] & 1;
      colour[column] = static_cast<uint8_t>(first_stone | second_stone << 1);
    }
  }
  MakeChains();
}

inline GoBoard::GoBoard(const GoBoard& other)
    : size_(other.size_),
      stride_(other.stride_),
      ways_{-stride_, -1, 1, stride_},
      hash_(other.hash_) {
  const int points = NumPoints();
  std::memcpy(colour_, other.colour_, points * sizeof(colour_[0]));
  std::memcpy(chain_, other.chain_, points * sizeof(chain_[0]));
  std::memcpy(next_, other.next_, points * sizeof(next_[0]));
  std::memcpy(chains_, other.chains_, points * sizeof(chains_[0]));
}

// A list of the stones first: a branch on what stands where is mispredicted too often.
inline void GoBoard::MakeChains() {
  uint16_t stones[kMaxPoints];
  const int count = List([this](int point) { return IsStone(point); }, stones);
  chains_[0] = {};
  for (int i = 0; i < count; ++i) AddStone(stones[i]);
}

template <typename Holds>
int GoBoard::List(const Holds& holds, uint16_t* points) const {
  int count = 0;
  for (int point = stride_ + 1, end = NumPoints() - stride_; point < end; ++point) {
    points[count] = static_cast<uint16_t>(point);
    count += holds(point);
  }
  return count;
}

inline GoBoard::Liberties GoBoard::LibertiesOf(int point) const {
  Liberties liberties = 0;
  for (int way : {-stride_, -1, 1, stride_}) {
    const uint64_t is_empty = colour_[point + way] == kEmpty;
    liberties += kLiberties[point + way] & -is_empty;
  }
  return liberties;
}

// Adds a stone to the chains of those left of it and above it, which it may join.
inline void GoBoard::AddStone(int point) {
  const Liberties liberties = LibertiesOf(point);
  const uint8_t colour = colour_[point];
  const int left = point - 1, above = point - stride_;
  const bool joins_left = colour_[left] == colour, joins_above = colour_[above] == colour;
  const uint64_t key = KeyOf(point, colour);
  hash_ ^= key;
  if (!joins_left && !joins_above) return StartChain(point, key, liberties);
  const int chain = chain_[joins_left ? left : above];
  chain_[point] = static_cast<uint16_t>(chain);
  next_[point] = next_[chain];
  next_[chain] = static_cast<uint16_t>(point);
  Chain& joined = chains_[chain];
  joined = {joined.hash ^ key, joined.liberties + liberties, joined.stones + 1};
  if (joins_left && joins_above) Join(chain_[above], chain);
}

inline void GoBoard::StartChain(int point, uint64_t key, Liberties liberties) {
  chain_[point] = next_[point] = static_cast<uint16_t>(point);
  chains_[point] = {key, liberties, 1};
}

inline void GoBoard::Join(int one, int other) {
  if (one == other) return;
  if (chains_[one].stones < chains_[other].stones) std::swap(one, other);
  Chain& kept = chains_[one];
  const Chain& gone = chains_[other];
  kept = {kept.hash ^ gone.hash, kept.liberties + gone.liberties, kept.stones + gone.stones};
  int stone = other;
  do {
    chain_[stone] = static_cast<uint16_t>(one);
    stone = next_[stone];
  } while (stone != other);
  std::swap(next_[one], next_[other]);
}

inline void GoBoard::Take(int chain) {
  const int begin = num_taken_;
  hash_ ^= chains_[chain].hash;
  int stone = chain;
  do {
    colour_[stone] = kEmpty;
    chain_[stone] = 0;
    taken_[num_taken_++] = static_cast<uint16_t>(stone);
    stone = next_[stone];
  } while (stone != chain);
  for (int i = begin; i < num_taken_; ++i) {
    for (int way : ways_) chains_[chain_[taken_[i] + way]].liberties += kLiberties[taken_[i]];
  }
}

inline void GoBoard::Play(int point, Colour colour) {
  num_taken_ = 0;
  colour_[point] = colour;
  for (int way : ways_) chains_[chain_[point + way]].liberties -= kLiberties[point];
  const uint64_t key = KeyOf(point, colour);
  hash_ ^= key;
  StartChain(point, key, LibertiesOf(point));
  for (int way : ways_) {
    if (colour_[point + way] == colour) Join(chain_[point + way], chain_[point]);
  }
  for (int way : ways_) {
    const int next = point + way;
    if (colour_[next] == Other(colour) && chains_[chain_[next]].liberties == 0) Take(chain_[next]);
  }
  if (chains_[chain_[point]].liberties == 0) Take(chain_[point]);
}

inline int GoBoard::ListEmpty(uint16_t* points) const {
  return List([this](int point) { return colour_[point] == kEmpty; }, points);
}

inline GoBoard::Try GoBoard::TryAt(int point, Colour colour) const {
  Try found = {false, false, hash_ ^ KeyOf(point, colour)};
  uint64_t own = 0;  // the chains that would be taken with it
  int seen[4];
  for (int way = 0; way < 4; ++way) {
    const int next = point + ways_[way], chain = chain_[next];
    seen[way] = chain;
    if (colour_[next] == kEmpty) found.stands = true;
    if (chain == 0) continue;
    const bool is_own = colour_[next] == colour, in_atari = AreOne(chains_[chain].liberties);
    found.connected |= is_own;
    found.stands |= is_own != in_atari;
    if (!in_atari) continue;
    bool again = false;
    for (int before = 0; before < way; ++before) again |= seen[before] == chain;
    if (again) continue;
    (is_own ? own : found.hash) ^= chains_[chain].hash;
  }
  if (!found.stands) found.hash = hash_ ^ own;
  return found;
}

inline int GoBoard::OnlyLiberty(int chain) const {
  const uint64_t liberties = chains_[chain].liberties, count = liberties >> 48;
  return count == 0 ? 0 : static_cast<int>((liberties >> 28 & 0xfffff) / count);
}

inline int GoBoard::FindLiberties(int chain, int most, int* liberties) const {
  if (InAtari(chain)) {
    liberties[0] = OnlyLiberty(chain);
    return liberties[0] != 0;
  }
  int count = 0, stone = chain;
  do {
    for (int way : ways_) {
      const int next = stone + way;
      if (colour_[next] != kEmpty ||
          std::find(liberties, liberties + count, next) != liberties + count)
        continue;
      liberties[count++] = next;
      if (count == most) return count;
    }
    stone = next_[stone];
  } while (stone != chain);
  return count;
}

inline int GoBoard::LibertiesAfter(int point, Colour colour, int most) const {
  constexpr int kMost = 8;
  int found[2 * kMost + 1], count = 0;
  const auto add = [&](int liberty) {
    if (liberty == point || std::find(found, found + count, liberty) != found + count) return;
    found[count++] = liberty;
  };
  for (int way : ways_) {
    const int next = point + way, chain = chain_[next];
    if (colour_[next] == kEmpty) add(next);
    if (count >= most) return most;
    if (colour_[next] == Other(colour) && InAtari(chain)) {  // What is taken makes room.
      GoBoard after(*this);
      after.Play(point, colour);
      return after.ChainAt(point) == 0 ? 0 : after.FindLiberties(after.ChainAt(point), most, found);
    }
    if (colour_[next] != colour) continue;
    int own[kMost + 1];
    const int liberties = FindLiberties(chain, most + 1, own);
    for (int i = 0; i < liberties && count < most; ++i) add(own[i]);
  }
  return std::min(count, most);
}

inline void GoBoard::SidesOf(Colour colour, uint8_t* sides) const {
  const int points = NumPoints();
  uint8_t gives[kMaxPoints];
  for (int point = 0; point < points; ++point) {
    gives[point] = (colour_[point] == colour) | (colour_[point] == kEmpty);
  }
  uint16_t chains[kMaxPoints];
  const int count = List([this](int point) { return chain_[point] == point; }, chains);
  for (int i = 0; i < count; ++i) {
    const int chain = chains[i];
    if (!AreOne(chains_[chain].liberties)) continue;
    const Side side = colour_[chain] == colour ? kConnects : kIsTaken;
    int stone = chain;
    do {
      gives[stone] = side;
      stone = next_[stone];
    } while (stone != chain);
  }
  // Where bytes are written, members may be; copies of them leave loops that vectorise.
  for (int point = stride_ + 1, stride = stride_; point < points - stride; ++point) {
    sides[point] =
        gives[point - stride] | gives[point - 1] | gives[point + 1] | gives[point + stride];
  }
}

inline uint64_t GoBoard::HashWith(int point, Colour colour) const {
  return hash_ ^ KeyOf(point, colour);
}

inline bool GoBoard::IsEye(int point, Colour colour) const {
  for (int way : ways_) {
    const uint8_t next = colour_[point + way];
    if (next != colour && next != kWall) return false;
  }
  int others = 0;
  bool edge = false;
  for (int corner : {-stride_ - 1, -stride_ + 1, stride_ - 1, stride_ + 1}) {
    const uint8_t next = colour_[point + corner];
    edge |= next == kWall;
    others += next == Other(colour);
  }
  return others + edge < 2;
}

inline int GoBoard::AreaAhead() const {
  int ahead = 0;
  bool seen[kMaxPoints] = {};
  uint16_t stack[kMaxPoints];
  for (int start = stride_; start < (size_ + 1) * stride_; ++start) {
    if (chain_[start] != 0) ahead += colour_[start] == kFirst ? 1 : -1;
    if (colour_[start] != kEmpty || seen[start]) continue;
    int size = 0, reached = 0, depth = 0;
    seen[start] = true;
    stack[depth++] = static_cast<uint16_t>(start);
    while (depth > 0) {
      const int point = stack[--depth];
      ++size;
      for (int way : ways_) {
        const int next = point + way;
        if (chain_[next] != 0) reached |= 1 << colour_[next];
        if (colour_[next] != kEmpty || seen[next]) continue;
        seen[next] = true;
        stack[depth++] = static_cast<uint16_t>(next);
      }
    }
    if (reached == 1 << kFirst) ahead += size;
    if (reached == 1 << kSecond) ahead -= size;
  }
  return ahead;
}

inline void GoBoard::Store(uint8_t* first, uint8_t* second) const {
  const int size = size_;
  for (int cell = 0; cell < size * size; cell += size) {
    const uint8_t* colour = colour_ + PointOf(cell);
    for (int column = 0; column < size; ++column) {
      first[cell + column] |= colour[column] & 1;
      second[cell + column] |= colour[column] >> 1;
    }
  }
}

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GO_BOARD_H_
