// The tape.
//
// record() gives each result a node that points at the nodes of its inputs. backward() collects the nodes that lead to
// the loss and runs their functions, last recorded first: an operation is always recorded after those that made its
// inputs, so that when its turn comes, all its consumers have added their share to its gradient. This is the chain rule
// for y = f(x), z = g(y), L = h(y, z): dL/dy = dh/dy + dh/dz dg/dy, then dL/dx = dL/dy dy/dx.
#include "autograd/variable.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace acol {

struct TapeNode {
  std::uint64_t number = 0;  // counts up with every node: the order of recording
  std::string operation;     // empty for a leaf
  Tensor grad;
  std::vector<TapeEdge> inputs;
  BackwardFunction backward;
  bool spent = false;                   // backward has run through it and freed what it held
  bool ends_in_relu = false;            // and then, of what its consumers added to grad:
  int shares = 0, masked_shares = 0;    // all of them, and those that are 0 where ReLU lets nothing through
  std::weak_ptr<Variable::Data> owner;  // of a leaf

  TapeNode();
  TapeNode(const TapeNode&) = delete;
  TapeNode& operator=(const TapeNode&) = delete;
  ~TapeNode();
};

namespace {

std::atomic<std::uint64_t> nodes_made{0};
thread_local bool recording = true;

const Tensor no_tensor;

// All nodes that lead to `root`, last recorded first. A loop, not a recursion: graphs may be deeper than the stack.
std::vector<std::shared_ptr<TapeNode>> nodes_before(const std::shared_ptr<TapeNode>& root) {
  std::vector<std::shared_ptr<TapeNode>> found{root};
  std::unordered_set<const TapeNode*> seen{root.get()};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::shared_ptr<TapeNode> node = found[i];
    check(!node->spent, "backward: the graph through '", node->operation,
          "' was used by an earlier backward and is freed; run the forward pass again");
    for (const TapeEdge& edge : node->inputs)
      if (edge.node && seen.insert(edge.node.get()).second) found.push_back(edge.node);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->number > b->number; });
  return found;
}

// How many operations of the graph are still to use each leaf.
class LeafUses {
 public:
  explicit LeafUses(const std::vector<std::shared_ptr<TapeNode>>& nodes) {
    for (const auto& node : nodes)
      for (const TapeEdge& edge : node->inputs)
        if (is_leaf(edge)) ++left_[edge.node.get()];
  }
  // One operation is done with its inputs: those leaves that no other will use.
  std::vector<std::shared_ptr<TapeNode>> complete_after(const std::vector<TapeEdge>& inputs) {
    std::vector<std::shared_ptr<TapeNode>> complete;
    for (const TapeEdge& edge : inputs)
      if (is_leaf(edge) && --left_.at(edge.node.get()) == 0) complete.push_back(edge.node);
    return complete;
  }

 private:
  static bool is_leaf(const TapeEdge& edge) { return edge.node && edge.node->operation.empty(); }
  std::unordered_map<const TapeNode*, int> left_;
};

}  // namespace

TapeNode::TapeNode() : number(nodes_made++) {}

// The default would destroy a chain of nodes by recursion, one stack frame an operation.
TapeNode::~TapeNode() {
  std::vector<TapeEdge> doomed = std::move(inputs);
  while (!doomed.empty()) {
    const std::shared_ptr<TapeNode> node = std::move(doomed.back().node);
    doomed.pop_back();
    if (node.use_count() != 1) continue;  // null, or someone else needs it
    std::move(node->inputs.begin(), node->inputs.end(), std::back_inserter(doomed));
    node->inputs.clear();
  }
}

Tensor& InputGradients::operator[](int index) {
  check(wanted(index), "backward: the gradient of input ", index, " is not wanted; ask wanted() first");
  TapeEdge& edge = inputs_[static_cast<std::size_t>(index)];
  Tensor& grad = edge.node->grad;
  if (!grad.defined()) grad = Tensor::zeros(edge.shape, edge.dtype);
  check(grad.shape() == edge.shape && grad.dtype() == edge.dtype, "backward: a gradient of shape ", edge.shape.str(),
        " cannot be added to one of shape ", grad.shape().str(),
        "; call clear_grad() after changing a parameter's shape");
  ++edge.node->shares;
  return grad;
}

bool InputGradients::is_behind_relu(int index) const {
  return wanted(index) && inputs_[static_cast<std::size_t>(index)].node->ends_in_relu;
}

void InputGradients::masked(int index) { ++inputs_.at(static_cast<std::size_t>(index)).node->masked_shares; }

Variable::Variable(Tensor value, bool requires_grad) : data_(std::make_shared<Data>()) {
  check(value.defined(), "variable: made of a tensor without numbers");
  data_->value = std::move(value);
  if (!requires_grad) return;
  data_->node = std::make_shared<TapeNode>();
  data_->node->owner = data_;
}

const Tensor& Saved::value() const {
  if (!source_) return no_tensor;
  if (!source_->value.defined()) source_->value = source_->recipe();
  return source_->value;
}

const Tensor& Variable::value() const {
  check(defined(), "variable: undefined, it has no value");
  return data_->value;
}

Tensor& Variable::value() {
  check(defined(), "variable: undefined, it has no value");
  return data_->value;
}

const Tensor& Variable::grad() const { return requires_grad() ? data_->node->grad : no_tensor; }

Tensor& Variable::grad_or_zeros() {
  check(requires_grad(), "variable: has no gradient; make it with requires_grad = true");
  Tensor& grad = data_->node->grad;
  if (!grad.defined()) grad = Tensor::zeros(shape(), dtype());
  return grad;
}

void Variable::clear_grad() {
  if (requires_grad()) data_->node->grad = Tensor();
}

void Variable::backward() {
  check(value().count() == 1, "backward: starts from one number (a loss), got shape ", shape().str(),
        "; give the gradient of the output");
  backward(Tensor::full(shape(), 1.0, dtype()));
}

void Variable::backward(const Tensor& dy, const GradientHook& ready) {
  check(requires_grad(), "backward: nothing that led here wants a gradient (no requires_grad, or under NoGrad)");
  check(dy.defined() && dy.shape() == shape() && dy.dtype() == dtype(), "backward: the gradient has shape ",
        dy.shape().str(), ", the output ", shape().str(), "; shapes and element types must be equal");
  const auto tell = [&](const TapeNode& leaf) {
    Variable variable;
    variable.data_ = leaf.owner.lock();
    if (variable.defined() && leaf.grad.defined()) ready(variable);
  };

  std::vector<std::shared_ptr<TapeNode>> order = nodes_before(data_->node);
  // A leaf keeps adding to its gradient. That of an operation is only read, so dy need not be copied.
  if (Tensor& grad = data_->node->grad; data_->node->backward) {
    grad = dy;
  } else {
    if (!grad.defined()) grad = Tensor::zeros(shape(), dtype());
    for (std::int64_t i = 0; i < dy.count(); ++i) grad.set(i, grad.at(i) + dy.at(i));
    if (ready) tell(*data_->node);
  }

  LeafUses uses(order);
  for (std::shared_ptr<TapeNode>& entry : order) {
    // All that the node held moves into this round of the loop and is freed at its end.
    const std::shared_ptr<TapeNode> node = std::move(entry);
    if (!node->backward) continue;  // a leaf: keeps its gradient
    std::vector<TapeEdge> inputs = std::exchange(node->inputs, {});
    {
      const BackwardFunction run = std::exchange(node->backward, nullptr);
      const Tensor grad = std::exchange(node->grad, Tensor());
      node->spent = true;
      InputGradients gradients(inputs, node->shares > 0 && node->shares == node->masked_shares);
      if (grad.defined()) run(grad, gradients);  // else no consumer had a gradient for it
    }
    if (!ready) continue;
    for (const std::shared_ptr<TapeNode>& leaf : uses.complete_after(inputs)) tell(*leaf);
  }
}

Saved Variable::saved() const {
  check(defined(), "variable: undefined, it has no value to save");
  return data_->saved ? *data_->saved : Saved(data_->value);
}

void Variable::save_as(Saved saved) {
  check(defined(), "variable: undefined, it has no value to save");
  data_->saved = std::move(saved);
}

void Variable::mark_relu() {
  if (requires_grad()) data_->node->ends_in_relu = true;
}

Variable Variable::detached() const { return Variable(value()); }

Variable Variable::record(std::string operation, Tensor value, std::vector<Variable> inputs,
                          BackwardFunction backward) {
  Variable result(std::move(value));
  const bool wanted =
      std::any_of(inputs.begin(), inputs.end(), [](const Variable& input) { return input.requires_grad(); });
  if (!recording || !wanted) return result;
  check(backward != nullptr, operation, ": recorded without a backward function");
  auto node = std::make_shared<TapeNode>();
  node->operation = std::move(operation);
  for (const Variable& input : inputs)
    node->inputs.push_back(input.requires_grad() ? TapeEdge{input.data_->node, input.shape(), input.dtype()}
                                                 : TapeEdge{});
  node->backward = std::move(backward);
  result.data_->node = std::move(node);
  return result;
}

NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

bool grad_enabled() { return recording; }

}  // namespace acol
