// Module: something with named parameters and a forward pass. Names join with dots, as in PyTorch
// ("features.0.weight").
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace acol {

struct NamedParameter {
  std::string name;
  Variable variable;  // shares the node with the module: assigning value() changes the module
};

// Numbers that belong to the model but get no gradient (batch norm's running statistics).
struct NamedBuffer {
  std::string name;
  Tensor tensor;  // shares the numbers with the module
};

class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  virtual Variable forward(const Variable& x) = 0;

  // In a fixed order: own ones first, then the children's as they were added.
  std::vector<NamedParameter> parameters(const std::string& prefix = "") const;
  std::vector<NamedBuffer> buffers(const std::string& prefix = "") const;

  // Training or evaluation, for this module and all below it. New modules are in training mode.
  void set_training(bool training);
  bool training() const { return training_; }

  // Turns every parameter, buffer and gradient into `dtype` (float64 for gradient checks). Lists of buffers taken
  // before do not share numbers with the module any more; lists of parameters do.
  void convert(DType dtype);
  void clear_gradients();

  // Calls `visit` for this module and all below it, with their dotted names.
  void for_each(const std::function<void(const std::string& name, Module&)>& visit, const std::string& prefix = "");

 protected:
  // For constructors. Names are not empty, have no dot and are used once in a module. References stay valid as long as
  // the module lives.
  Variable& add_parameter(std::string name, Tensor value);
  Tensor& add_buffer(std::string name, Tensor value);
  void add_child(std::string name, std::shared_ptr<Module> child);
  void remove_child(const std::string& name);
  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& children() const { return children_; }

 private:
  bool training_ = true;
  // unique_ptr, so that references handed out stay valid as more are added.
  std::vector<std::pair<std::string, std::unique_ptr<Variable>>> parameters_;
  std::vector<std::pair<std::string, std::unique_ptr<Tensor>>> buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
};

}  // namespace acol
