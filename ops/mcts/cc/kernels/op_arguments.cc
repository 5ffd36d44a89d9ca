#include "ops/mcts/cc/kernels/op_arguments.h"

#include <algorithm>
#include <cstring>

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
using ::tensorflow::OpOutputList;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;
using ::tensorflow::errors::ResourceExhausted;

namespace {

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

Status CheckForestInputs(OpKernelContext* ctx) {
  const Tensor *nodes, *edges, *stats;
  TF_RETURN_IF_ERROR(ctx->input("nodes", &nodes));
  TF_RETURN_IF_ERROR(ctx->input("edges", &edges));
  TF_RETURN_IF_ERROR(ctx->input("stats", &stats));
  return CheckForest(*nodes, *edges, *stats);
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

Status TakeNamed(OpKernelContext* ctx, const char* name, const char* new_name, float** data) {
  int input, end, output;
  TF_RETURN_IF_ERROR(ctx->op_kernel().InputRange(name, &input, &end));
  TF_RETURN_IF_ERROR(ctx->op_kernel().OutputRange(new_name, &output, &end));
  Tensor* taken;
  TF_RETURN_IF_ERROR(TakeInput(ctx, input, output, &taken));
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

}  // namespace

Status ReadRule(OpKernelConstruction* ctx, Rule* rule) {
  std::string kind, qtransform;
  bool rescale, mixed;
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
  TF_RETURN_IF_ERROR(ctx->GetAttr("rescale_values", &rescale));
  TF_RETURN_IF_ERROR(ctx->GetAttr("use_mixed_value", &mixed));
  rule->rescale_values = rescale;
  rule->use_mixed_value = mixed;
  rule->kind = kind == "gumbel" ? kGumbel : kPuct;
  // In the order of QTransformKind.
  const std::vector<std::string> names = {"parent_and_siblings", "min_max", "tree_min_max",
                                          "completed_by_mix_value"};
  rule->qtransform = std::find(names.begin(), names.end(), qtransform) - names.begin();
  return OkStatus();
}

Status ReadForest(OpKernelContext* ctx, ConstForest* forest) {
  TF_RETURN_IF_ERROR(CheckForestInputs(ctx));
  const Tensor *nodes, *edges, *stats;
  TF_RETURN_IF_ERROR(ctx->input("nodes", &nodes));
  TF_RETURN_IF_ERROR(ctx->input("edges", &edges));
  TF_RETURN_IF_ERROR(ctx->input("stats", &stats));
  *forest = {nodes->flat<float>().data(), edges->flat<float>().data(), stats->flat<float>().data(),
             nodes->dim_size(0),          nodes->dim_size(1),          edges->dim_size(3)};
  return OkStatus();
}

Status TakeForest(OpKernelContext* ctx, Forest* forest) {
  ConstForest read;
  TF_RETURN_IF_ERROR(ReadForest(ctx, &read));
  *forest = {nullptr, nullptr, nullptr, read.batch, read.num_nodes, read.num_actions};
  TF_RETURN_IF_ERROR(TakeNamed(ctx, "nodes", "new_nodes", &forest->nodes));
  TF_RETURN_IF_ERROR(TakeNamed(ctx, "edges", "new_edges", &forest->edges));
  return TakeNamed(ctx, "stats", "new_stats", &forest->stats);
}

Status NewForest(OpKernelContext* ctx, Allocator* memory, Forest* forest) {
  const int64_t batch = forest->batch, room = forest->num_nodes;
  Tensor *nodes, *edges, *stats;
  TensorShape shape;
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape({batch, room, kNodeFields}, &shape));
  TF_RETURN_IF_ERROR(AllocateOutput(ctx, memory, 0, shape, &nodes));
  TF_RETURN_IF_ERROR(
      TensorShape::BuildTensorShape({batch, room, kEdgeRows, forest->num_actions}, &shape));
  TF_RETURN_IF_ERROR(AllocateOutput(ctx, memory, 1, shape, &edges));
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape({batch, kStatistics}, &shape));
  TF_RETURN_IF_ERROR(ctx->allocate_output("new_stats", shape, &stats));
  TF_RETURN_IF_ERROR(CheckForest(*nodes, *edges, *stats));
  forest->nodes = nodes->flat<float>().data();
  forest->edges = edges->flat<float>().data();
  forest->stats = stats->flat<float>().data();
  return OkStatus();
}

template <typename T>
Status ReadInput(OpKernelContext* ctx, const char* name, std::initializer_list<int64_t> shape,
                 const T** data) {
  const Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->input(name, &tensor));
  TF_RETURN_IF_ERROR(CheckShape(name, *tensor, shape));
  *data = tensor->flat<T>().data();
  return OkStatus();
}
template Status ReadInput(OpKernelContext*, const char*, std::initializer_list<int64_t>,
                          const float**);
template Status ReadInput(OpKernelContext*, const char*, std::initializer_list<int64_t>,
                          const int32_t**);

Status ReadNoise(OpKernelContext* ctx, const Rule& rule, const ConstForest& forest,
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
  TF_RETURN_IF_ERROR(CheckShape("gumbel", gumbel[0], {forest.batch, forest.num_actions}));
  *noise = {gumbel[0].flat<float>().data(), considered[0].flat<float>().data(),
            considered[0].dim_size(0), considered[0].dim_size(1)};
  return OkStatus();
}

Status ReadAnswers(OpKernelContext* ctx, const Forest& forest, Answers* answers) {
  const std::initializer_list<int64_t> vector = {forest.batch};
  TF_RETURN_IF_ERROR(ReadInput(ctx, "parent", vector, &answers->parent));
  TF_RETURN_IF_ERROR(ReadInput(ctx, "action", vector, &answers->action));
  TF_RETURN_IF_ERROR(ReadInput(ctx, "reward", vector, &answers->reward));
  TF_RETURN_IF_ERROR(ReadInput(ctx, "discount", vector, &answers->discount));
  TF_RETURN_IF_ERROR(ReadInput(ctx, "value", vector, &answers->value));
  return ReadInput(ctx, "prior_logits", {forest.batch, forest.num_actions}, &answers->prior_logits);
}

Status TakeEmbeddings(OpKernelContext* ctx, const Forest& forest, bool gathered,
                      std::vector<Embedding>* embeddings) {
  OpInputList wholes, updates;
  OpOutputList rows;
  TF_RETURN_IF_ERROR(ctx->input_list("embeddings", &wholes));
  TF_RETURN_IF_ERROR(ctx->input_list("updates", &updates));
  if (gathered) TF_RETURN_IF_ERROR(ctx->output_list("gathered", &rows));
  int input, output, end;
  TF_RETURN_IF_ERROR(ctx->op_kernel().InputRange("embeddings", &input, &end));
  TF_RETURN_IF_ERROR(ctx->op_kernel().OutputRange("new_embeddings", &output, &end));
  for (int i = 0; i < wholes.size(); ++i) {
    TF_RETURN_IF_ERROR(CheckEmbedding(forest, wholes[i], updates[i]));
    Tensor *whole, *row = nullptr;
    TF_RETURN_IF_ERROR(TakeInput(ctx, input + i, output + i, &whole));
    if (gathered) {
      TF_RETURN_IF_ERROR(rows.allocate(i, updates[i].shape(), &row));
    }
    embeddings->push_back(
        {static_cast<char*>(whole->data()), static_cast<const char*>(updates[i].data()),
         row ? static_cast<char*>(row->data()) : nullptr, RowBytes(updates[i], forest.batch)});
  }
  return OkStatus();
}

Status NewEmbeddings(OpKernelContext* ctx, Allocator* memory, const Forest& forest,
                     std::vector<Embedding>* embeddings) {
  OpInputList rows;
  int output, end;
  TF_RETURN_IF_ERROR(ctx->input_list("rows", &rows));
  TF_RETURN_IF_ERROR(ctx->op_kernel().OutputRange("new_embeddings", &output, &end));
  for (int i = 0; i < rows.size(); ++i) {
    if (rows[i].dims() < 1) return InvalidArgument("rows must be [B, ...]");
    TensorShape shape = rows[i].shape();
    TF_RETURN_IF_ERROR(shape.InsertDimWithStatus(1, forest.num_nodes));
    Tensor* whole;
    TF_RETURN_IF_ERROR(AllocateOutput(ctx, memory, output + i, shape, &whole));
    TF_RETURN_IF_ERROR(CheckEmbedding(forest, *whole, rows[i]));
    embeddings->push_back({static_cast<char*>(whole->data()),
                           static_cast<const char*>(rows[i].data()), nullptr,
                           RowBytes(rows[i], forest.batch)});
  }
  return OkStatus();
}

}  // namespace mcts
}  // namespace lookahead
