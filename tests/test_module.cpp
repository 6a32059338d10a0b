// Names, modes, types and sharing of modules.
#include <doctest/doctest.h>

#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/sequential.h"

using namespace acol;

namespace {

// A parent with own parts before, between and after its children.
class Parent : public Module {
 public:
  Parent() {
    features = std::make_shared<Sequential>();
    features->add("0", std::make_shared<Conv2d>(1, 2, Pair{3, 3}));
    features->add("1", std::make_shared<BatchNorm>(2));
    add_child("features", features);
    add_parameter("scale", Tensor::full({1}, 5));
    add_child("head", std::make_shared<Linear>(2, 3, false));
    add_buffer("count", Tensor::full({1}, 6));
  }
  Variable forward(const Variable& x) override { return x; }
  // The protected ones, to be tested.
  using Module::add_buffer;
  using Module::add_child;
  using Module::add_parameter;
  using Module::remove_child;

  std::shared_ptr<Sequential> features;
};

template <class List>
std::vector<std::string> names_of(const List& list) {
  std::vector<std::string> names;
  for (const auto& entry : list) names.push_back(entry.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("module: dotted names, own ones first, children in order") {
  const Parent parent;
  CHECK(names_of(parent.parameters()) ==
        Names{"scale", "features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias", "head.weight"});
  CHECK(names_of(parent.buffers()) == Names{"count", "features.1.running_mean", "features.1.running_var"});
  CHECK(names_of(parent.parameters("net"))[1] == "net.features.0.weight");
  CHECK(names_of(parent.buffers("net"))[0] == "net.count");
  for (const auto& [name, variable] : parent.parameters()) CHECK(variable.requires_grad());
}

TEST_CASE("module: for_each visits all with their names") {
  Parent parent;
  Names names;
  parent.for_each([&](const std::string& name, Module&) { names.push_back(name); });
  CHECK(names == Names{"", "features", "features.0", "features.1", "head"});
  names.clear();
  parent.for_each([&](const std::string& name, Module&) { names.push_back(name); }, "net");
  CHECK(names == Names{"net", "net.features", "net.features.0", "net.features.1", "net.head"});
}

TEST_CASE("module: training mode reaches all below") {
  Parent parent;
  const auto all_are = [&](bool training) {
    bool all = true;
    parent.for_each([&](const std::string&, Module& module) { all &= module.training() == training; });
    return all;
  };
  CHECK(all_are(true));
  parent.set_training(false);
  CHECK(all_are(false));
  parent.set_training(true);
  CHECK(all_are(true));
}

TEST_CASE("module: lists share their numbers with the module") {
  Parent parent;
  parent.parameters()[0].variable.value() = Tensor::full({1}, 7);
  CHECK(parent.parameters()[0].variable.value().at(0) == 7);
  parent.buffers()[0].tensor.fill(8);
  CHECK(parent.buffers()[0].tensor.at(0) == 8);
}

TEST_CASE("module: convert and clear_gradients") {
  Parent parent;
  auto parameters = parent.parameters();
  parameters[0].variable.grad_or_zeros().fill(0.5);
  parent.convert(DType::float64);
  for (const auto& [name, variable] : parent.parameters()) CHECK(variable.dtype() == DType::float64);
  for (const auto& [name, tensor] : parent.buffers()) CHECK(tensor.dtype() == DType::float64);
  CHECK(parameters[0].variable.dtype() == DType::float64);  // the node is still shared
  CHECK(parameters[0].variable.value().at(0) == 5);
  CHECK(parameters[0].variable.grad().dtype() == DType::float64);
  CHECK(parameters[0].variable.grad().at(0) == 0.5);
  CHECK(!parameters[1].variable.grad().defined());
  CHECK(parent.buffers()[0].tensor.at(0) == 6);

  parent.clear_gradients();
  CHECK(!parameters[0].variable.grad().defined());
  parent.convert(DType::float32);
  CHECK(parent.parameters()[1].variable.dtype() == DType::float32);
}

TEST_CASE("module: references to parts stay valid as more are added") {
  Parent parent;
  Variable& first = parent.add_parameter("p", Tensor::full({1}, 1));
  Tensor& buffer = parent.add_buffer("b", Tensor::full({1}, 2));
  for (int i = 0; i < 100; ++i) {
    parent.add_parameter(message("p", i), Tensor::zeros({1}));
    parent.add_buffer(message("b", i), Tensor::zeros({1}));
  }
  CHECK(first.value().at(0) == 1);
  CHECK(buffer.at(0) == 2);
}

TEST_CASE("module: bad names") {
  Parent parent;
  for (const char* name : {"", "a.b", "scale", "count", "features"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(parent.add_parameter(name, Tensor::zeros({1})), Error);
    CHECK_THROWS_AS(parent.add_buffer(name, Tensor::zeros({1})), Error);
    CHECK_THROWS_AS(parent.add_child(name, std::make_shared<Sequential>()), Error);
  }
  CHECK_THROWS_AS(parent.add_child("fine", nullptr), Error);
  CHECK_THROWS_AS(parent.remove_child("missing"), Error);
  parent.remove_child("features");
  CHECK(names_of(parent.parameters()) == Names{"scale", "head.weight"});
}
