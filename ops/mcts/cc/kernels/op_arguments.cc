#include "ops/mcts/cc/kernels/op_arguments.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tensorflow/core/framework/types.h"
#include "xla/stream_executor/stream.h"

namespace lookahead {
namespace mcts {

using ::tensorflow::Allocator;
using ::tensorflow::DataTypeCanUseMemcpy;
using ::tensorflow::DataTypeSize;
using ::tensorflow::OkStatus;
using ::tensorflow::OpInputList;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;
using ::tensorflow::errors::ResourceExhausted;

namespace {

// Places of the trees among the inputs and the outputs of each op that has them
// (cc/ops/mcts_ops.cc). Looking arguments up by name takes as long as a walk.
enum TreePlace { kNodes, kEdges, kStats, kTreeTensors };

// Of the model's answer among the inputs that follow the embeddings.
enum AnswerPlace { kParentAt, kActionAt, kRewardAt, kDiscountAt, kLogitsAt, kValueAt, kUpdatesAt };

Status CheckShape(const char* name, const Tensor& tensor, std::initializer_list<int64_t> shape) {
  bool same = tensor.dims() == static_cast<int>(shape.size());
  for (int i = 0; same && i < tensor.dims(); ++i) same = tensor.dim_size(i) == shape.begin()[i];
  if (same) return OkStatus();
  TensorShape wanted;
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape(shape, &wanted));
  return InvalidArgument(name, " has shape ", tensor.shape().DebugString(), ", expected ",
                         wanted.DebugString());
}

Status CheckForest(const Tensor& nodes, const Tensor& edges, const Tensor& stats) {
  if (nodes.dims() != 3) return InvalidArgument("nodes must be [B, M, 8]");
  if (edges.dims() != 4) return InvalidArgument("edges must be [B, M, 6, A]");
  const int64_t batch = nodes.dim_size(0), room = nodes.dim_size(1);
  const int64_t num_actions = edges.dim_size(3);
  TF_RETURN_IF_ERROR(CheckShape("nodes", nodes, {batch, room, kNodeFields}));
  TF_RETURN_IF_ERROR(CheckShape("edges", edges, {batch, room, kEdgeRows, num_actions}));
  TF_RETURN_IF_ERROR(CheckShape("stats", stats, {batch, kStatistics}));
  if (room < 1 || room > kMaxNodes) {
    return InvalidArgument("nodes has room for ", room, ", expected 1 to 2^24");
  }
  if (num_actions < 1 || num_actions > kMaxActions) {
    return InvalidArgument("edges has ", num_actions, " actions, expected 1 to ", kMaxActions);
  }
  return OkStatus();
}

template <typename T>
Status ReadInput(OpKernelContext* ctx, int input, const char* name,
                 std::initializer_list<int64_t> shape, const T** data) {
  const Tensor& tensor = ctx->input(input);
  TF_RETURN_IF_ERROR(CheckShape(name, tensor, shape));
  *data = tensor.flat<T>().data();
  return OkStatus();
}

Status AllocateVector(OpKernelContext* ctx, int output, int64_t size, int32_t** data) {
  Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->allocate_output(output, TensorShape({size}), &tensor));
  *data = tensor->flat<int32_t>().data();
  return OkStatus();
}

// A GPU has a device context, whose stream orders the copy; a CPU has none.
void CopyTensor(OpKernelContext* ctx, const Tensor& from, Tensor* to) {
  if (ctx->op_device_context() == nullptr) {
    std::memcpy(to->data(), from.data(), from.TotalBytes());
    return;
  }
  const stream_executor::DeviceMemoryBase source(from.data(), from.TotalBytes());
  stream_executor::DeviceMemoryBase target(to->data(), to->TotalBytes());
  ctx->op_device_context()->stream()->ThenMemcpy(&target, source, from.TotalBytes());
}

// The input as an output: its own memory, or a copy of it.
Status TakeInput(OpKernelContext* ctx, int input, int output, Tensor** taken) {
  const Tensor& from = ctx->input(input);
  int forwarded = -1;
  TF_RETURN_IF_ERROR(
      ctx->forward_input_or_allocate_output({input}, output, from.shape(), taken, &forwarded));
  if (forwarded < 0) CopyTensor(ctx, from, *taken);
  return OkStatus();
}

Status TakeFloats(OpKernelContext* ctx, TreePlace place, float** data) {
  Tensor* taken;
  TF_RETURN_IF_ERROR(TakeInput(ctx, place, place, &taken));
  *data = taken->flat<float>().data();
  return OkStatus();
}

Status CheckEmbedding(const Forest& forest, const Tensor& whole, const Tensor& row) {
  if (!DataTypeCanUseMemcpy(whole.dtype())) {
    return InvalidArgument("embeddings of dtype ", DataTypeString(whole.dtype()),
                           " cannot be kept in a tree");
  }
  if (row.dims() < 1 || row.dim_size(0) != forest.batch) {
    return InvalidArgument("updates must be [B, ...], B = ", forest.batch, "; got ",
                           row.shape().DebugString());
  }
  TensorShape wanted = row.shape();
  TF_RETURN_IF_ERROR(wanted.InsertDimWithStatus(1, forest.num_nodes));
  if (whole.shape() == wanted) return OkStatus();
  return InvalidArgument("embeddings has shape ", whole.shape().DebugString(), ", expected ",
                         wanted.DebugString(), " as updates has ", row.shape().DebugString());
}

// An output in `memory`, or where the device keeps its tensors if that is null.
Status AllocateOutput(OpKernelContext* ctx, Allocator* memory, int output, const TensorShape& shape,
                      Tensor** tensor) {
  if (memory == nullptr) return ctx->allocate_output(output, shape, tensor);
  const Tensor fresh(memory, ctx->expected_output_dtype(output), shape);
  if (!fresh.IsInitialized()) return ResourceExhausted("no memory for ", shape.DebugString());
  ctx->set_output(output, fresh);
  *tensor = ctx->mutable_output(output);
  return OkStatus();
}

int64_t RowBytes(const Tensor& rows, int64_t batch) {
  return batch == 0 ? 0 : static_cast<int64_t>(rows.TotalBytes()) / batch;
}

Status ReadForest(OpKernelContext* ctx, ConstForest* forest) {
  const Tensor &nodes = ctx->input(kNodes), &edges = ctx->input(kEdges);
  const Tensor& stats = ctx->input(kStats);
  TF_RETURN_IF_ERROR(CheckForest(nodes, edges, stats));
  *forest = {nodes.flat<float>().data(), edges.flat<float>().data(), stats.flat<float>().data(),
             nodes.dim_size(0),          nodes.dim_size(1),          edges.dim_size(3)};
  return OkStatus();
}

Status TakeForest(OpKernelContext* ctx, Forest* forest) {
  ConstForest read;
  TF_RETURN_IF_ERROR(ReadForest(ctx, &read));
  *forest = {nullptr, nullptr, nullptr, read.batch, read.num_nodes, read.num_actions};
  TF_RETURN_IF_ERROR(TakeFloats(ctx, kNodes, &forest->nodes));
  TF_RETURN_IF_ERROR(TakeFloats(ctx, kEdges, &forest->edges));
  return TakeFloats(ctx, kStats, &forest->stats);
}

Status NewForest(OpKernelContext* ctx, Allocator* memory, Forest* forest) {
  const int64_t batch = forest->batch, room = forest->num_nodes;
  Tensor *nodes, *edges, *stats;
  TensorShape shape;
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape({batch, room, kNodeFields}, &shape));
  TF_RETURN_IF_ERROR(AllocateOutput(ctx, memory, kNodes, shape, &nodes));
  TF_RETURN_IF_ERROR(
      TensorShape::BuildTensorShape({batch, room, kEdgeRows, forest->num_actions}, &shape));
  TF_RETURN_IF_ERROR(AllocateOutput(ctx, memory, kEdges, shape, &edges));
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape({batch, kStatistics}, &shape));
  TF_RETURN_IF_ERROR(ctx->allocate_output(kStats, shape, &stats));
  TF_RETURN_IF_ERROR(CheckForest(*nodes, *edges, *stats));
  forest->nodes = nodes->flat<float>().data();
  forest->edges = edges->flat<float>().data();
  forest->stats = stats->flat<float>().data();
  return OkStatus();
}

Status ReadNoise(OpKernelContext* ctx, const Rule& rule, int64_t batch, int64_t num_actions,
                 RootNoise* noise) {
  *noise = {};
  if (rule.kind != kGumbel) return OkStatus();
  OpInputList gumbel, considered;
  TF_RETURN_IF_ERROR(ctx->input_list("gumbel", &gumbel));
  TF_RETURN_IF_ERROR(ctx->input_list("considered", &considered));
  if (gumbel.size() != 1) {
    return InvalidArgument("gumbel and considered must be one tensor each, got ", gumbel.size());
  }
  if (considered[0].dims() != 2 || considered[0].NumElements() == 0) {
    return InvalidArgument("considered must be a matrix that is not empty");
  }
  TF_RETURN_IF_ERROR(CheckShape("gumbel", gumbel[0], {batch, num_actions}));
  *noise = {gumbel[0].flat<float>().data(), considered[0].flat<float>().data(),
            considered[0].dim_size(0), considered[0].dim_size(1)};
  return OkStatus();
}

Status ReadParameters(OpKernelContext* ctx, bool given, int64_t batch, const float** parameters) {
  *parameters = nullptr;
  if (!given) return OkStatus();
  OpInputList list;
  TF_RETURN_IF_ERROR(ctx->input_list("parameters", &list));
  if (list.size() != 1) {
    return InvalidArgument("parameters must be one tensor, got ", list.size());
  }
  TF_RETURN_IF_ERROR(CheckShape("parameters", list[0], {batch, kRuleParameters}));
  *parameters = list[0].flat<float>().data();
  return OkStatus();
}

// `first`: the place of the answer's first input.
Status ReadAnswers(OpKernelContext* ctx, int first, const Forest& forest, Answers* said) {
  const std::initializer_list<int64_t> vector = {forest.batch};
  TF_RETURN_IF_ERROR(ReadInput(ctx, first + kParentAt, "parent", vector, &said->parent));
  TF_RETURN_IF_ERROR(ReadInput(ctx, first + kActionAt, "action", vector, &said->action));
  TF_RETURN_IF_ERROR(ReadInput(ctx, first + kRewardAt, "reward", vector, &said->reward));
  TF_RETURN_IF_ERROR(ReadInput(ctx, first + kDiscountAt, "discount", vector, &said->discount));
  TF_RETURN_IF_ERROR(ReadInput(ctx, first + kValueAt, "value", vector, &said->value));
  return ReadInput(ctx, first + kLogitsAt, "prior_logits", {forest.batch, forest.num_actions},
                   &said->prior_logits);
}

// The embeddings as outputs, in place where possible; `gathered`: the place of
// the first output for the parents' rows, or -1 where the op gives none.
Status TakeEmbeddings(OpKernelContext* ctx, const Forest& forest, int count, int gathered,
                      std::vector<Embedding>* embeddings) {
  for (int i = 0; i < count; ++i) {
    const int whole_at = kTreeTensors + i;
    const Tensor& update = ctx->input(kTreeTensors + count + kUpdatesAt + i);
    TF_RETURN_IF_ERROR(CheckEmbedding(forest, ctx->input(whole_at), update));
    Tensor *whole, *row = nullptr;
    TF_RETURN_IF_ERROR(TakeInput(ctx, whole_at, whole_at, &whole));
    if (gathered >= 0) {
      TF_RETURN_IF_ERROR(ctx->allocate_output(gathered + i, update.shape(), &row));
    }
    embeddings->push_back(
        {static_cast<char*>(whole->data()), static_cast<const char*>(update.data()),
         row ? static_cast<char*>(row->data()) : nullptr, RowBytes(update, forest.batch)});
  }
  return OkStatus();
}

// Embeddings of trees that hold `rows` at their roots; the rest is not written.
Status NewEmbeddings(OpKernelContext* ctx, Allocator* memory, const Forest& forest,
                     std::vector<Embedding>* embeddings) {
  OpInputList rows;
  TF_RETURN_IF_ERROR(ctx->input_list("rows", &rows));
  for (int i = 0; i < rows.size(); ++i) {
    if (rows[i].dims() < 1) return InvalidArgument("rows must be [B, ...]");
    TensorShape shape = rows[i].shape();
    TF_RETURN_IF_ERROR(shape.InsertDimWithStatus(1, forest.num_nodes));
    Tensor* whole;
    TF_RETURN_IF_ERROR(AllocateOutput(ctx, memory, kTreeTensors + i, shape, &whole));
    TF_RETURN_IF_ERROR(CheckEmbedding(forest, *whole, rows[i]));
    embeddings->push_back({static_cast<char*>(whole->data()),
                           static_cast<const char*>(rows[i].data()), nullptr,
                           RowBytes(rows[i], forest.batch)});
  }
  return OkStatus();
}

int32_t PlaceOf(const std::string& name, const std::vector<std::string>& names) {
  return static_cast<int32_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// How many embeddings an op that takes the model's answer has.
Status CountEmbeddings(OpKernelContext* ctx, int* count) {
  int begin, end;
  TF_RETURN_IF_ERROR(ctx->op_kernel().InputRange("embeddings", &begin, &end));
  *count = end - begin;
  return OkStatus();
}

}  // namespace

Status ReadRule(OpKernelConstruction* ctx, Rule* rule, bool* has_parameters) {
  std::string kind, qtransform;
  bool rescale, mixed;
  int num_parameters;
  TF_RETURN_IF_ERROR(ctx->GetAttr("num_parameters", &num_parameters));
  *has_parameters = num_parameters > 0;
  TF_RETURN_IF_ERROR(ctx->GetAttr("rule", &kind));
  TF_RETURN_IF_ERROR(ctx->GetAttr("qtransform", &qtransform));
  TF_RETURN_IF_ERROR(ctx->GetAttr("max_depth", &rule->max_depth));
  TF_RETURN_IF_ERROR(ctx->GetAttr("pb_c_init", &rule->pb_c_init));
  TF_RETURN_IF_ERROR(ctx->GetAttr("pb_c_base", &rule->pb_c_base));
  TF_RETURN_IF_ERROR(ctx->GetAttr("min_value", &rule->min_value));
  TF_RETURN_IF_ERROR(ctx->GetAttr("max_value", &rule->max_value));
  TF_RETURN_IF_ERROR(ctx->GetAttr("fpu_reduction", &rule->fpu_reduction));
  TF_RETURN_IF_ERROR(ctx->GetAttr("value_scale", &rule->value_scale));
  TF_RETURN_IF_ERROR(ctx->GetAttr("maxvisit_init", &rule->maxvisit_init));
  TF_RETURN_IF_ERROR(ctx->GetAttr("epsilon", &rule->epsilon));
  TF_RETURN_IF_ERROR(ctx->GetAttr("first_outcome", &rule->first_outcome));
  TF_RETURN_IF_ERROR(ctx->GetAttr("rescale_values", &rescale));
  TF_RETURN_IF_ERROR(ctx->GetAttr("use_mixed_value", &mixed));
  rule->rescale_values = rescale;
  rule->use_mixed_value = mixed;
  // In the order of RuleKind and of QTransformKind.
  rule->kind = PlaceOf(kind, {"puct", "gumbel", "stochastic"});
  rule->qtransform = PlaceOf(
      qtransform, {"parent_and_siblings", "min_max", "tree_min_max", "completed_by_mix_value"});
  return OkStatus();
}

Status Take(OpKernelContext* ctx, int64_t num_nodes, Allocator* memory, RootArguments* taken) {
  const Tensor& logits = ctx->input(0);
  if (logits.dims() != 2) {
    return InvalidArgument("prior_logits must be [B, A], got ", logits.shape().DebugString());
  }
  taken->forest = {nullptr, nullptr, nullptr, logits.dim_size(0), num_nodes, logits.dim_size(1)};
  taken->prior_logits = logits.flat<float>().data();
  TF_RETURN_IF_ERROR(ReadInput(ctx, 1, "value", {taken->forest.batch}, &taken->value));
  TF_RETURN_IF_ERROR(NewForest(ctx, memory, &taken->forest));
  return NewEmbeddings(ctx, memory, taken->forest, &taken->embeddings);
}

Status Take(OpKernelContext* ctx, const Rule& rule, bool has_parameters, SimulateArguments* taken) {
  TF_RETURN_IF_ERROR(ReadForest(ctx, &taken->forest));
  const ConstForest& forest = taken->forest;
  TF_RETURN_IF_ERROR(ReadParameters(ctx, has_parameters, forest.batch, &taken->parameters));
  TF_RETURN_IF_ERROR(ReadNoise(ctx, rule, forest.batch, forest.num_actions, &taken->noise));
  TF_RETURN_IF_ERROR(AllocateVector(ctx, 0, forest.batch, &taken->parent));
  return AllocateVector(ctx, 1, forest.batch, &taken->action);
}

Status Take(OpKernelContext* ctx, ExpandArguments* taken) {
  int count;
  TF_RETURN_IF_ERROR(CountEmbeddings(ctx, &count));
  TF_RETURN_IF_ERROR(TakeForest(ctx, &taken->forest));
  const Forest& forest = taken->forest;
  TF_RETURN_IF_ERROR(ReadAnswers(ctx, kTreeTensors + count, forest, &taken->answers));
  TF_RETURN_IF_ERROR(TakeEmbeddings(ctx, forest, count, -1, &taken->embeddings));
  return AllocateVector(ctx, kTreeTensors + count, forest.batch, &taken->leaf);
}

Status Take(OpKernelContext* ctx, BackwardArguments* taken) {
  TF_RETURN_IF_ERROR(TakeForest(ctx, &taken->forest));
  return ReadInput(ctx, kTreeTensors, "leaf", {taken->forest.batch}, &taken->leaf);
}

Status Take(OpKernelContext* ctx, const Rule& rule, bool has_parameters, StepArguments* taken) {
  int count;
  TF_RETURN_IF_ERROR(CountEmbeddings(ctx, &count));
  TF_RETURN_IF_ERROR(TakeForest(ctx, &taken->forest));
  const Forest& forest = taken->forest;
  const int outputs = kTreeTensors + count;  // that come before next_parent
  TF_RETURN_IF_ERROR(ReadParameters(ctx, has_parameters, forest.batch, &taken->parameters));
  TF_RETURN_IF_ERROR(ReadNoise(ctx, rule, forest.batch, forest.num_actions, &taken->noise));
  TF_RETURN_IF_ERROR(ReadAnswers(ctx, kTreeTensors + count, forest, &taken->answers));
  TF_RETURN_IF_ERROR(TakeEmbeddings(ctx, forest, count, outputs + 2, &taken->embeddings));
  TF_RETURN_IF_ERROR(AllocateVector(ctx, outputs, forest.batch, &taken->parent));
  return AllocateVector(ctx, outputs + 1, forest.batch, &taken->action);
}

}  // namespace mcts
}  // namespace lookahead
