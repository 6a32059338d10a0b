#include "layers/optimizer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/kernels.h"

namespace acol {

namespace {

bool finite_at_least_0(double x) { return std::isfinite(x) && x >= 0; }

void check_step(double rate, double gradient_scale) {
  check(finite_at_least_0(rate), "sgd: the learning rate must be finite and at least 0, got ", rate);
  check(finite_at_least_0(gradient_scale), "sgd: the gradient scale must be finite and at least 0, got ",
        gradient_scale);
}

}  // namespace

Sgd::Sgd(std::vector<ParameterGroup> groups, SgdOptions options) : groups_(std::move(groups)), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, "sgd: momentum must be in [0, 1), got ", options.momentum);
  std::set<std::string> names;
  for (const ParameterGroup& group : groups_) {
    check(finite_at_least_0(group.rate_factor), "sgd: the rate factor of group ", group.name,
          " must be finite and at least 0, got ", group.rate_factor);
    check(finite_at_least_0(group.weight_decay), "sgd: the weight decay of group ", group.name,
          " must be finite and at least 0, got ", group.weight_decay);
    auto& velocities = velocities_.emplace_back();
    for (const auto& [name, variable] : group.parameters) {
      check(variable.defined() && variable.requires_grad(), "sgd: ", name, " of group ", group.name,
            " is no parameter: it is undefined or wants no gradient");
      const Place place{velocities_.size() - 1, velocities.size()};
      check(names.insert(name).second && places_.emplace(&variable.value(), place).second, "sgd: ", name, " of group ",
            group.name, " is in the optimizer twice");
      velocities.push_back(Tensor::zeros(variable.shape(), variable.dtype()));
    }
  }
}

void Sgd::step(double rate, double gradient_scale) {
  check_step(rate, gradient_scale);
  std::vector<Place> all;
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (std::size_t p = 0; p < groups_[g].parameters.size(); ++p) all.push_back({g, p});
  update(all, rate, gradient_scale);
}

void Sgd::step_one(const Variable& parameter, double rate, double gradient_scale) {
  check_step(rate, gradient_scale);
  const auto found = places_.find(&parameter.value());
  check(found != places_.end(), "sgd: a parameter of shape ", parameter.shape().str(), " is not in the optimizer");
  update({found->second}, rate, gradient_scale);
}

void Sgd::update(const std::vector<Place>& places, double rate, double gradient_scale) {
  update_all<float>(places, rate, gradient_scale);
  update_all<double>(places, rate, gradient_scale);
}

template <class T>
void Sgd::update_all(const std::vector<Place>& places, double rate, double gradient_scale) {
  std::vector<SgdArray<T>> list;
  for (const Place place : places) {
    const ParameterGroup& group = groups_[place.group];
    auto& [name, variable] = groups_[place.group].parameters[place.parameter];
    const Tensor& gradient = variable.grad();
    Tensor& value = variable.value();
    if (!gradient.defined() || value.dtype() != dtype_of<T>) continue;
    Tensor& velocity = velocities_[place.group][place.parameter];
    check(velocity.dtype() == value.dtype() && velocity.shape() == value.shape(), "sgd: ", name,
          " changed its type or shape after the optimizer was made; make a new one");
    list.push_back({velocity.count(), static_cast<T>(rate * group.rate_factor), static_cast<T>(group.weight_decay),
                    gradient.data<T>(), velocity.data<T>(), value.data<T>()});
  }
  if (!list.empty())
    kernels<T>().sgd_step(static_cast<int>(list.size()), list.data(), static_cast<T>(options_.momentum),
                          options_.nesterov, static_cast<T>(gradient_scale));
}

void Sgd::clear_gradients() {
  for (ParameterGroup& group : groups_)
    for (NamedParameter& parameter : group.parameters) parameter.variable.clear_grad();
}

std::vector<std::pair<std::string, Tensor>> Sgd::velocities() {
  std::vector<std::pair<std::string, Tensor>> all;
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (std::size_t p = 0; p < groups_[g].parameters.size(); ++p)
      all.emplace_back(groups_[g].parameters[p].name, velocities_[g][p]);
  return all;
}

namespace {

// squares[i] = sum of the squares of gradient i, for those of one element type; the others stay. Together, so that a
// device is waited for once.
template <class T>
void set_squares(const std::vector<NamedParameter>& parameters, std::vector<double>& squares) {
  std::vector<std::size_t> places;
  std::vector<std::int64_t> counts;
  std::vector<const T*> numbers;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& gradient = parameters[i].variable.grad();
    if (!gradient.defined() || gradient.dtype() != dtype_of<T>) continue;
    places.push_back(i);
    counts.push_back(gradient.count());
    numbers.push_back(gradient.data<T>());
  }
  if (places.empty()) return;
  std::vector<double> sums(places.size());
  kernels<T>().sums_of_squares(static_cast<int>(places.size()), counts.data(), numbers.data(), sums.data());
  for (std::size_t i = 0; i < places.size(); ++i) squares[places[i]] = sums[i];
}

// One a parameter, 0 if it has no gradient.
std::vector<double> squared_gradients(const std::vector<NamedParameter>& parameters) {
  std::vector<double> squares(parameters.size(), 0.0);
  set_squares<float>(parameters, squares);
  set_squares<double>(parameters, squares);
  return squares;
}

}  // namespace

double squared_gradient(const Variable& parameter) { return squared_gradients({{"", parameter}})[0]; }

double gradient_norm(const std::vector<NamedParameter>& parameters) {
  double sum = 0;
  for (const double square : squared_gradients(parameters)) sum += square;
  return std::sqrt(sum);
}

double clip_factor(double norm, double max_norm) {
  check(max_norm > 0, "gradient clipping: the largest norm must be above 0, got ", max_norm);
  check(finite_at_least_0(norm), "gradient clipping: the norm of the gradients is ", norm,
        ": training has diverged; lower the learning rate or warm up longer");
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace acol
