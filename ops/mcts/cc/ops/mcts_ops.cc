// The ops' signatures. M: nodes a tree has room for; A: actions; the tree's
// layout is kernels/tree.h's.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lookahead {
namespace mcts {
namespace {

using ::tensorflow::OkStatus;
using ::tensorflow::Status;
using ::tensorflow::shape_inference::DimensionHandle;
using ::tensorflow::shape_inference::InferenceContext;
using ::tensorflow::shape_inference::ShapeHandle;

// Gives the named output the shapes of the named input.
Status SameShapes(InferenceContext* c, const char* input, const char* output) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(input, &shapes));
  return c->set_output(output, shapes);
}

Status VectorShape(InferenceContext* c, const char* output) {
  std::vector<ShapeHandle> nodes;
  TF_RETURN_IF_ERROR(c->input("nodes", &nodes));
  TF_RETURN_IF_ERROR(c->WithRank(nodes[0], 3, &nodes[0]));
  return c->set_output(output, {c->Vector(c->Dim(nodes[0], 0))});
}

Status TreeShapes(InferenceContext* c) {
  TF_RETURN_IF_ERROR(SameShapes(c, "nodes", "new_nodes"));
  TF_RETURN_IF_ERROR(SameShapes(c, "edges", "new_edges"));
  return SameShapes(c, "stats", "new_stats");
}

Status SimulateShapes(InferenceContext* c) {
  TF_RETURN_IF_ERROR(VectorShape(c, "parent"));
  return VectorShape(c, "action");
}

Status ExpandShapes(InferenceContext* c) {
  TF_RETURN_IF_ERROR(TreeShapes(c));
  TF_RETURN_IF_ERROR(SameShapes(c, "embeddings", "new_embeddings"));
  return VectorShape(c, "leaf");
}

Status StepShapes(InferenceContext* c) {
  TF_RETURN_IF_ERROR(TreeShapes(c));
  TF_RETURN_IF_ERROR(SameShapes(c, "embeddings", "new_embeddings"));
  TF_RETURN_IF_ERROR(SameShapes(c, "updates", "gathered"));
  TF_RETURN_IF_ERROR(VectorShape(c, "next_parent"));
  return VectorShape(c, "next_action");
}

Status RootShapes(InferenceContext* c) {
  int64_t num_nodes;
  TF_RETURN_IF_ERROR(c->GetAttr("num_nodes", &num_nodes));
  ShapeHandle logits;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &logits));
  const DimensionHandle batch = c->Dim(logits, 0), room = c->MakeDim(num_nodes);
  c->set_output(0, c->MakeShape({batch, room, c->MakeDim(8)}));
  c->set_output(1, c->MakeShape({batch, room, c->MakeDim(6), c->Dim(logits, 1)}));
  c->set_output(2, c->MakeShape({batch, c->MakeDim(3)}));
  std::vector<ShapeHandle> rows, wholes;
  TF_RETURN_IF_ERROR(c->input("rows", &rows));
  for (ShapeHandle row : rows) {
    ShapeHandle rest, whole;
    TF_RETURN_IF_ERROR(c->Subshape(row, 1, &rest));
    TF_RETURN_IF_ERROR(c->Concatenate(c->MakeShape({batch, room}), rest, &whole));
    wholes.push_back(whole);
  }
  return c->set_output("new_embeddings", wholes);
}

}  // namespace

#define LOOKAHEAD_TREE_INPUTS Input("nodes: float").Input("edges: float").Input("stats: float")

#define LOOKAHEAD_MODEL_INPUTS      \
  Input("embeddings: E")            \
      .Input("parent: int32")       \
      .Input("action: int32")       \
      .Input("reward: float")       \
      .Input("discount: float")     \
      .Input("prior_logits: float") \
      .Input("value: float")        \
      .Input("updates: E")

// Gumbel's: one of each, or none where the rule is another. `parameters` [B, 9], one
// or none, takes the place of the attributes of these names, tree by tree.
#define LOOKAHEAD_RULE_INPUTS                 \
  Input("gumbel: num_noise * float")          \
      .Input("considered: num_noise * float") \
      .Input("parameters: num_parameters * float")

#define LOOKAHEAD_RULE_ATTRS                                               \
  Attr("rule: {'puct', 'gumbel', 'stochastic'}")                           \
      .Attr("first_outcome: int >= 0 = 0")                                 \
      .Attr("num_noise: int >= 0")                                         \
      .Attr("num_parameters: int >= 0 = 0")                                \
      .Attr("max_depth: int >= 1")                                         \
      .Attr("pb_c_init: float")                                            \
      .Attr("pb_c_base: float")                                            \
      .Attr(                                                               \
          "qtransform: {'parent_and_siblings', 'min_max', 'tree_min_max'," \
          " 'completed_by_mix_value'}")                                    \
      .Attr("min_value: float")                                            \
      .Attr("max_value: float")                                            \
      .Attr("fpu_reduction: float")                                        \
      .Attr("value_scale: float")                                          \
      .Attr("maxvisit_init: float")                                        \
      .Attr("rescale_values: bool")                                        \
      .Attr("use_mixed_value: bool")                                       \
      .Attr("epsilon: float")

#define LOOKAHEAD_TREE_OUTPUTS \
  Output("new_nodes: float").Output("new_edges: float").Output("new_stats: float")

// Trees that hold their roots alone; edges of nodes to come are not written.
REGISTER_OP("LookaheadMctsRoot")
    .Input("prior_logits: float")
    .Input("value: float")
    .Input("rows: E")
    .Attr("E: list(type) >= 0")
    .Attr("num_nodes: int >= 1")
    .LOOKAHEAD_TREE_OUTPUTS.Output("new_embeddings: E")
    .SetShapeFn(RootShapes);

// Walks down: the edge (parent, action) that each tree wants evaluated.
REGISTER_OP("LookaheadMctsSimulate")
    .LOOKAHEAD_TREE_INPUTS.LOOKAHEAD_RULE_INPUTS.LOOKAHEAD_RULE_ATTRS.Output("parent: int32")
    .Output("action: int32")
    .SetShapeFn(SimulateShapes);

// Writes the model's answer for (parent, action) into the node behind it.
REGISTER_OP("LookaheadMctsExpand")
    .LOOKAHEAD_TREE_INPUTS.LOOKAHEAD_MODEL_INPUTS.Attr("E: list(type) >= 0")
    .LOOKAHEAD_TREE_OUTPUTS.Output("new_embeddings: E")
    .Output("leaf: int32")
    .SetShapeFn(ExpandShapes);

// Carries the leaves' values up to the roots.
REGISTER_OP("LookaheadMctsBackward")
    .LOOKAHEAD_TREE_INPUTS.Input("leaf: int32")
    .LOOKAHEAD_TREE_OUTPUTS.SetShapeFn(TreeShapes);

// Expand and backward, then the next simulate and its parents' embeddings.
REGISTER_OP("LookaheadMctsStep")
    .LOOKAHEAD_TREE_INPUTS.LOOKAHEAD_MODEL_INPUTS.LOOKAHEAD_RULE_INPUTS.LOOKAHEAD_RULE_ATTRS
    .Attr("E: list(type) >= 0")
    .LOOKAHEAD_TREE_OUTPUTS.Output("new_embeddings: E")
    .Output("next_parent: int32")
    .Output("next_action: int32")
    .Output("gathered: E")
    .SetShapeFn(StepShapes);

}  // namespace mcts
}  // namespace lookahead
