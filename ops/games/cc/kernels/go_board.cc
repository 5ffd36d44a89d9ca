#include "ops/games/cc/kernels/go_board.h"

#include <array>
#include <cstring>
#include <utility>

#include "ops/games/cc/kernels/random.h"

namespace lookahead {
namespace games {
namespace {

constexpr int kPoints = GoBoard::kMaxPoints;

// A key for each stone; a board's hash is those of its stones, combined by xor.
constexpr std::array<uint64_t, 2 * kPoints> MakeKeys() {
  std::array<uint64_t, 2 * kPoints> keys{};
  for (uint64_t i = 0; i < keys.size(); ++i) keys[i] = Mixed((i + 1) * 0x9e3779b97f4a7c15u);
  return keys;
}
constexpr std::array<uint64_t, 2 * kPoints> kKeys = MakeKeys();

uint64_t KeyOf(int point, int colour) {
  return kKeys[(colour - GoBoard::kFirst) * kPoints + point];
}

GoBoard::Colour Other(GoBoard::Colour colour) {
  return colour == GoBoard::kFirst ? GoBoard::kSecond : GoBoard::kFirst;
}

}  // namespace

GoBoard::GoBoard(int size, const uint8_t* first, const uint8_t* second)
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

void GoBoard::MakeChains() {
  const int begin = stride_ + 1, end = NumPoints() - stride_;
  Liberties free[kMaxPoints];
  for (int point = 0; point < NumPoints(); ++point) {
    free[point] = LibertyAt(point) & -static_cast<uint64_t>(colour_[point] == kEmpty);
  }
  // A list first: a branch on what stands where is mispredicted too often.
  uint16_t stones[kMaxPoints];
  int num_stones = 0;
  for (int point = begin; point < end; ++point) {
    stones[num_stones] = static_cast<uint16_t>(point);
    num_stones += IsStone(point);
  }
  chains_[0] = {};
  for (int i = 0; i < num_stones; ++i) {
    const int point = stones[i];
    AddStone(point,
             free[point - 1] + free[point + 1] + free[point - stride_] + free[point + stride_]);
  }
}

// Adds a stone to the chains of those left of it and above it, which it may join.
void GoBoard::AddStone(int point, Liberties liberties) {
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

void GoBoard::StartChain(int point, uint64_t key, Liberties liberties) {
  chain_[point] = next_[point] = static_cast<uint16_t>(point);
  chains_[point] = {key, liberties, 1};
}

void GoBoard::Join(int one, int other) {
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

void GoBoard::Take(int chain) {
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
    for (int way : ways_) chains_[chain_[taken_[i] + way]].liberties += LibertyAt(taken_[i]);
  }
}

void GoBoard::Play(int point, Colour colour) {
  num_taken_ = 0;
  colour_[point] = colour;
  Liberties liberties = 0;
  for (int way : ways_) {
    const int next = point + way;
    chains_[chain_[next]].liberties -= LibertyAt(point);
    if (colour_[next] == kEmpty) liberties += LibertyAt(next);
  }
  const uint64_t key = KeyOf(point, colour);
  hash_ ^= key;
  StartChain(point, key, liberties);
  for (int way : ways_) {
    if (colour_[point + way] == colour) Join(chain_[point + way], chain_[point]);
  }
  for (int way : ways_) {
    const int next = point + way;
    if (colour_[next] == Other(colour) && chains_[chain_[next]].liberties == 0) Take(chain_[next]);
  }
  if (chains_[chain_[point]].liberties == 0) Take(chain_[point]);
}

int GoBoard::ListEmpty(uint16_t* points) const {
  int count = 0;
  for (int point = stride_ + 1; point < NumPoints() - stride_; ++point) {
    points[count] = static_cast<uint16_t>(point);
    count += colour_[point] == kEmpty;
  }
  return count;
}

GoBoard::Try GoBoard::TryAt(int point, Colour colour) const {
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

void GoBoard::SidesOf(Colour colour, uint8_t* sides) const {
  const int points = NumPoints();
  uint8_t gives[kMaxPoints];
  for (int point = 0; point < points; ++point) {
    gives[point] = (colour_[point] == colour) | (colour_[point] == kEmpty);
  }
  for (int chain = stride_ + 1; chain < points; ++chain) {
    if (chain_[chain] != chain || !AreOne(chains_[chain].liberties)) continue;
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

uint64_t GoBoard::HashWith(int point, Colour colour) const { return hash_ ^ KeyOf(point, colour); }

bool GoBoard::IsEye(int point, Colour colour) const {
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

int GoBoard::AreaAhead() const {
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

void GoBoard::Store(uint8_t* first, uint8_t* second) const {
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
