#include "layers/module.h"

#include <algorithm>

namespace acol {

namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

template <class List>
auto named(List& list, const std::string& name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
}

template <class Parameters, class Buffers, class Children>
void check_free(const std::string& name, Parameters& parameters, Buffers& buffers, Children& children) {
  check(!name.empty() && name.find('.') == std::string::npos, "module: \"", name,
        "\" is no name for a part: it must not be empty and have no dot");
  check(named(parameters, name) == parameters.end() && named(buffers, name) == buffers.end() &&
            named(children, name) == children.end(),
        "module: there are two parts named \"", name, "\"");
}

}  // namespace

std::vector<NamedParameter> Module::parameters(const std::string& prefix) const {
  std::vector<NamedParameter> all;
  for (const auto& [name, variable] : parameters_) all.push_back({joined(prefix, name), *variable});
  for (const auto& [name, child] : children_)
    for (auto& parameter : child->parameters(joined(prefix, name))) all.push_back(std::move(parameter));
  return all;
}

std::vector<NamedBuffer> Module::buffers(const std::string& prefix) const {
  std::vector<NamedBuffer> all;
  for (const auto& [name, tensor] : buffers_) all.push_back({joined(prefix, name), *tensor});
  for (const auto& [name, child] : children_)
    for (auto& buffer : child->buffers(joined(prefix, name))) all.push_back(std::move(buffer));
  return all;
}

void Module::set_training(bool training) {
  for_each([&](const std::string&, Module& module) { module.training_ = training; });
}

void Module::convert(DType dtype) {
  for_each([&](const std::string&, Module& module) {
    for (auto& [name, variable] : module.parameters_) {
      if (variable->grad().defined()) variable->grad_or_zeros() = variable->grad().to(dtype);
      variable->value() = variable->value().to(dtype);
    }
    for (auto& [name, tensor] : module.buffers_) *tensor = tensor->to(dtype);
  });
}

void Module::clear_gradients() {
  for_each([](const std::string&, Module& module) {
    for (auto& [name, variable] : module.parameters_) variable->clear_grad();
  });
}

void Module::for_each(const std::function<void(const std::string& name, Module&)>& visit, const std::string& prefix) {
  visit(prefix, *this);
  for (const auto& [name, child] : children_) child->for_each(visit, joined(prefix, name));
}

Variable& Module::add_parameter(std::string name, Tensor value) {
  check_free(name, parameters_, buffers_, children_);
  parameters_.emplace_back(std::move(name), std::make_unique<Variable>(std::move(value), true));
  return *parameters_.back().second;
}

Tensor& Module::add_buffer(std::string name, Tensor value) {
  check_free(name, parameters_, buffers_, children_);
  buffers_.emplace_back(std::move(name), std::make_unique<Tensor>(std::move(value)));
  return *buffers_.back().second;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
  check(child != nullptr, "module: the part \"", name, "\" is null");
  check_free(name, parameters_, buffers_, children_);
  children_.emplace_back(std::move(name), std::move(child));
}

void Module::remove_child(const std::string& name) {
  const auto found = named(children_, name);
  check(found != children_.end(), "module: no part named \"", name, "\" to remove");
  children_.erase(found);
}

}  // namespace acol
