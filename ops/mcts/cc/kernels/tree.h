// Where things lie in a search tree. Shared by the CPU and the CUDA kernels.
//
// A tree is three blocks of float32, a slice of the ops' tensors:
//   nodes [M, 8]     a record a node
//   edges [M, 6, A]  six rows a node, an edge a column, called its slot
//   stats [3]        of the whole tree
// A node's first `Expanded` slots hold the edges that have been expanded, in
// the order in which they were; their rows alone are all written. The next
// slot holds the unexpanded edge of the greatest prior, so that a selection
// reads Expanded + 1 slots however many actions there are. Row kActionOf says
// whose action a slot is. The twin in TensorFlow keeps slot = action and calls
// all slots expanded; a zero visit count marks the others in both.
// Counts and indices are stored as floats, exact up to 2^24, but for kPlace and
// kNext, which are the bits of an int32. Every index read from a tree is
// checked, so that no tree, however broken, leads out of its memory.
//
// kNext is what the running search will do at a node: it depends on the node
// alone, so a backup works it out for the nodes that it changes, where the
// processor can overlap their arithmetic, and the next walk only follows it.
// Whoever changes a node without knowing the rule writes kUnknown.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_TREE_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_TREE_H_

#include <cstdint>
#include <cstring>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

#ifdef __CUDACC__
#define LOOKAHEAD_HD __host__ __device__
#else
#define LOOKAHEAD_HD
#endif
// Inlined without exception: search_avx2.cc compiles these functions too, and no
// copy of its own may serve a machine without AVX2.
#define LOOKAHEAD_INLINE LOOKAHEAD_HD inline __attribute__((always_inline))

namespace lookahead {
namespace mcts {

enum NodeField {
  kParent,
  kPlace,  // slot of the edge into the node | number of expanded edges << 16
  kVisits,
  kValue,
  kRawValue,
  kReward,
  kDiscount,
  kNext,  // one of the values below
  kNodeFields
};
enum EdgeRow {
  kQvalue,
  kEdgeVisits,
  kProb,  // -1 where the action is illegal
  kActionOf,
  kChild,
  kLogit,
  kEdgeRows
};
enum Statistic { kNextNode, kMinQvalue, kMaxQvalue, kStatistics };

constexpr int64_t kMaxNodes = 1 << 24;
constexpr int64_t kMaxActions = (1 << 16) - 1;
constexpr float kUnvisited = -1.0f;
constexpr float kIllegalProb = -1.0f;

// Values of kNext: the child to walk to, which is at least 1; or one of these.
constexpr int32_t kUnknown = 0;         // not worked out
constexpr int32_t kLeaves = kMaxNodes;  // + the slot by which a walk leaves the tree
constexpr int32_t kTerminal = 1 << 30;  // no legal action: a walk ends above the node

// What a kernel can find wrong; kFaultText in faults.h words it for the user.
enum Fault : int32_t {
  kNoFault,
  kBadParent,
  kBadAction,
  kBadReward,
  kBadDiscount,
  kBadPriorLogits,
  kBadValue,
  kBadLeaf,
  kTreeFull,
  kNoLegalAction,
  kBrokenTree,
  // For kBadPriorLogits and kBadValue, by the names that a stochastic model uses.
  kBadActionLogits,
  kBadChanceLogits,
  kBadAfterstateValue,
};

// `x`, its fraction dropped, as an index below `limit`, which is at most 2^31;
// otherwise -1, as for NaN and infinities.
LOOKAHEAD_INLINE int64_t AsIndex(float x, int64_t limit) {
#if defined(__SSE__) && !defined(__CUDA_ARCH__)
  const uint32_t index = _mm_cvttss_si32(_mm_set_ss(x));  // 2^31 of what does not fit
  return index < limit ? static_cast<int64_t>(index) : -1;
#else
  return x > -1.0f && x < static_cast<float>(limit) ? static_cast<int64_t>(x) : -1;
#endif
}

LOOKAHEAD_INLINE bool IsFinite(float x) { return x - x == 0.0f; }

LOOKAHEAD_INLINE int32_t ReadBits(const float* field) {
  int32_t bits;
  memcpy(&bits, field, sizeof(bits));
  return bits;
}
LOOKAHEAD_INLINE void WriteBits(float* field, int64_t value) {
  const int32_t bits = static_cast<int32_t>(value);
  memcpy(field, &bits, sizeof(bits));
}

// One tree; F is float, or const float where it is only read.
template <typename F>
struct TreeOf {
  F* nodes;
  F* edges;
  F* stats;
  int64_t num_nodes;
  int64_t num_actions;

  LOOKAHEAD_INLINE F* Node(int64_t node) const { return nodes + node * kNodeFields; }
  LOOKAHEAD_INLINE F* Edges(int64_t node, EdgeRow row) const {
    return edges + node * (kEdgeRows * num_actions) + row * num_actions;
  }
  // How many of a node's edges are expanded.
  LOOKAHEAD_INLINE int64_t Expanded(int64_t node) const {
    const int64_t count = static_cast<uint32_t>(ReadBits(Node(node) + kPlace)) >> 16;
    return count > num_actions ? 0 : count;
  }
  // Of the edge into a node among its parent's, or -1; 0 at the root.
  LOOKAHEAD_INLINE int64_t Slot(int64_t node) const {
    const int64_t slot = ReadBits(Node(node) + kPlace) & 0xffff;
    return slot < num_actions ? slot : -1;
  }
  LOOKAHEAD_INLINE int64_t Parent(int64_t node) const {
    return AsIndex(Node(node)[kParent], num_nodes);
  }
  LOOKAHEAD_INLINE void SetPlace(int64_t node, int64_t slot, int64_t expanded) const {
    WriteBits(Node(node) + kPlace, slot | expanded << 16);
  }
  LOOKAHEAD_INLINE int32_t Next(int64_t node) const { return ReadBits(Node(node) + kNext); }
  LOOKAHEAD_INLINE void SetNext(int64_t node, int64_t next) const {
    WriteBits(Node(node) + kNext, next);
  }
  // The node that the next simulation makes, or -1 where the tree is full. It
  // stays unmade where that simulation ends at a node that is there already.
  LOOKAHEAD_INLINE int64_t NextNode() const { return AsIndex(stats[kNextNode], num_nodes); }
  LOOKAHEAD_INLINE int64_t Child(int64_t node, int64_t slot) const {
    if (slot >= Expanded(node)) return -1;
    return AsIndex(Edges(node, kChild)[slot], num_nodes);
  }
  LOOKAHEAD_INLINE int64_t ActionOf(int64_t node, int64_t slot) const {
    return AsIndex(Edges(node, kActionOf)[slot], num_actions);
  }
  // The slot of an action. O(1) for the edge that is to be expanded next.
  LOOKAHEAD_INLINE int64_t SlotOf(int64_t node, int64_t action) const {
    const float* actions = Edges(node, kActionOf);
    const float wanted = static_cast<float>(action);
    const int64_t next = Expanded(node);
    if (next < num_actions && actions[next] == wanted) return next;
    for (int64_t slot = 0; slot < num_actions; ++slot) {
      if (actions[slot] == wanted) return slot;
    }
    return -1;
  }
};

using Tree = TreeOf<float>;
using ConstTree = TreeOf<const float>;

LOOKAHEAD_INLINE ConstTree ReadOnly(const Tree& tree) {
  return {tree.nodes, tree.edges, tree.stats, tree.num_nodes, tree.num_actions};
}

// A batch of trees: what the ops' tensors hold.
template <typename F>
struct ForestOf {
  F* nodes;
  F* edges;
  F* stats;
  int64_t batch;
  int64_t num_nodes;
  int64_t num_actions;

  LOOKAHEAD_INLINE TreeOf<F> At(int64_t b) const {
    return {nodes + b * num_nodes * kNodeFields, edges + b * num_nodes * kEdgeRows * num_actions,
            stats + b * kStatistics, num_nodes, num_actions};
  }
};

using Forest = ForestOf<float>;
using ConstForest = ForestOf<const float>;

enum RuleKind : int32_t { kPuct, kGumbel, kStochastic };
enum QTransformKind : int32_t { kParentAndSiblings, kMinMax, kTreeMinMax, kCompletedByMixValue };

// The rule of a walk; the fields are those of rules.py and qtransforms.py.
// Plain data, passed to CUDA kernels by value and filled in through ctypes.
struct Rule {
  int32_t kind;
  int32_t qtransform;
  int32_t max_depth;
  int32_t rescale_values;
  int32_t use_mixed_value;
  float pb_c_init;
  float pb_c_base;
  float min_value;
  float max_value;
  float fpu_reduction;
  float value_scale;
  float maxvisit_init;
  float epsilon;
  int32_t first_outcome;  // read by kStochastic: actions from here on are outcomes of chance
};

// A tree's own parameters, where the caller gives tensors: a row of `parameters`
// [B, 9], in the order of rules.py.
enum RuleParameter {
  kPbCInit,
  kPbCBase,
  kMinValue,
  kMaxValue,
  kFpuReduction,
  kValueScale,
  kMaxvisitInit,
  kEpsilon,
  kMaxDepth,
  kRuleParameters
};

// The rule of tree b; `parameters` is null where all trees have the rule's own.
LOOKAHEAD_INLINE Rule RuleOfTree(const Rule& rule, const float* parameters, int64_t b) {
  if (parameters == nullptr) return rule;
  const float* own = parameters + b * kRuleParameters;
  const int64_t depth = AsIndex(own[kMaxDepth], kMaxNodes + 1);
  Rule it = rule;
  it.max_depth = depth < 1 ? 1 : static_cast<int32_t>(depth);
  it.pb_c_init = own[kPbCInit];
  it.pb_c_base = own[kPbCBase];
  it.min_value = own[kMinValue];
  it.max_value = own[kMaxValue];
  it.fpu_reduction = own[kFpuReduction];
  it.value_scale = own[kValueScale];
  it.maxvisit_init = own[kMaxvisitInit];
  it.epsilon = own[kEpsilon];
  return it;
}

// What Gumbel's root reads beside the tree: gumbel [B, A], considered
// [num_rows, num_columns]. Unread by PUCT.
struct RootNoise {
  const float* gumbel;
  const float* considered;
  int64_t num_rows;
  int64_t num_columns;
};

// Exploration rates that were worked out before: of_visits[n] for n < size. May
// be empty.
struct Rates {
  const float* of_visits;
  int64_t size;
};

// The model's answer for one tree.
struct Evaluation {
  float reward;
  float discount;
  float value;
  const float* prior_logits;
};

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_TREE_H_
