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

uint64_t KeyOf(int point, int colour) { return kKeys[(colour - GoBoard::kFirst) * kPoints + point]; }

GoBoard::Colour Other(GoBoard::Colour colour) {
  return colour == GoBoard::kFirst ? GoBoard::kSecond : GoBoard::kFirst;
}

}  // namespace

GoBoard::GoBoard(int size, const uint8_t* first, const uint8_t* second)
    : size_(size), stride_(size + 1), ways_{-stride_, -1, 1, stride_} {
  const int points = (size + 2) * stride_ + 1;
  std::memset(colour_, kWall, points);
  std::memset(chain_, 0, points * sizeof(chain_[0]));
  chains_[0] = {};
  for (int row = 0, cell = 0; row < size; ++row) {
    const int begin = (row + 1) * stride_ + 1;
    for (int point = begin; point < begin + size; ++point, ++cell) {
      colour_[point] = static_cast<uint8_t>((first[cell] & 1) | (second[cell] & 1) << 1);
    }
  }
  for (int row = 1; row <= size; ++row) {
    for (int point = row * stride_ + 1; point < (row + 1) * stride_; ++point) {
      const uint8_t colour = colour_[point];
      if (colour == kEmpty) continue;
      StartChain(point, static_cast<Colour>(colour));
      if (colour_[point - 1] == colour) Join(chain_[point - 1], chain_[point]);
      if (colour_[point - stride_] == colour) Join(chain_[point - stride_], chain_[point]);
    }
  }
  for (int row = 1; row <= size; ++row) {
    for (int point = row * stride_ + 1; point < (row + 1) * stride_; ++point) {
      if (colour_[point] != kEmpty) continue;
      for (int way : ways_) chains_[chain_[point + way]].AddLiberty(point);
    }
  }
}

// Liberties are counted in by the caller.
void GoBoard::StartChain(int point, Colour colour) {
  const uint64_t key = KeyOf(point, colour);
  hash_ ^= key;
  chain_[point] = next_[point] = static_cast<uint16_t>(point);
  chains_[point] = {key, 0, 0, 0, 1};
}

void GoBoard::Join(int one, int other) {
  if (one == other) return;
  if (chains_[one].stones < chains_[other].stones) std::swap(one, other);
  Chain& kept = chains_[one];
  const Chain& gone = chains_[other];
  kept = {kept.hash ^ gone.hash, kept.liberties + gone.liberties, kept.sum + gone.sum,
          kept.squares + gone.squares, kept.stones + gone.stones};
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
    for (int way : ways_) chains_[chain_[taken_[i] + way]].AddLiberty(taken_[i]);
  }
}

void GoBoard::Play(int point, Colour colour) {
  num_taken_ = 0;
  colour_[point] = colour;
  StartChain(point, colour);
  for (int way : ways_) {
    const int next = point + way;
    chains_[chain_[next]].DropLiberty(point);
    if (colour_[next] == kEmpty) chains_[chain_[point]].AddLiberty(next);
  }
  for (int way : ways_) {
    if (colour_[point + way] == colour) Join(chain_[point + way], chain_[point]);
  }
  for (int way : ways_) {
    const int next = point + way;
    if (colour_[next] == Other(colour) && chains_[chain_[next]].liberties == 0) Take(chain_[next]);
  }
  if (chains_[chain_[point]].liberties == 0) Take(chain_[point]);
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
    const bool is_own = colour_[next] == colour, in_atari = chains_[chain].InAtari();
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
  for (int row = 0, cell = 0; row < size_; ++row) {
    const uint8_t* colour = colour_ + (row + 1) * stride_ + 1;
    for (int column = 0; column < size_; ++column, ++cell) {
      first[cell] |= colour[column] == kFirst;
      second[cell] |= colour[column] == kSecond;
    }
  }
}

}  // namespace games
}  // namespace lookahead
