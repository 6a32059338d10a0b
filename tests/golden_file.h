// Golden vectors from PyTorch (tools/golden), and how to compare a tensor with one.
#pragma once

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/safetensors.h"

namespace acol::testing {

inline std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(ACOL_SOURCE_DIR) / "tests" / "golden" / (name + ".safetensors");
}

struct Golden {
  explicit Golden(const std::string& name) : file(read_safetensors(golden_path(name))) {}

  // Activations are stored (N, H, W, C), as ours.
  const Tensor& operator[](const std::string& name) const {
    const auto found = file.tensors.find(name);
    check(found != file.tensors.end(), "golden file: no tensor ", name);
    return found->second;
  }
  // Filters are stored (O, C, R, S); returned as (O, R, S, C).
  Tensor filter(const std::string& name) const { return filter_from_file((*this)[name]); }
  // A parameter or its gradient: only filters have rank 4.
  Tensor parameter(const std::string& name) const {
    return (*this)[name].shape().rank() == 4 ? filter(name) : (*this)[name];
  }
  std::vector<int> labels(const std::string& name) const {
    std::vector<int> result;
    for (const float label : (*this)[name].to_vector()) result.push_back(static_cast<int>(label));
    return result;
  }

  // What the maker says of the file: the metadata entry "golden", JSON.
  nlohmann::json about() const { return nlohmann::json::parse(file.metadata.at("golden")); }

  SafetensorsFile file;
};

// L2 norm of a - b, of a alone without b; infinity if the shapes differ, NaN if a number is.
inline double distance(const Tensor& a, const Tensor& b = {}) {
  if (!a.defined() || (b.defined() && !(a.shape() == b.shape()))) return HUGE_VAL;
  double sum = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    const double difference = a.at(i) - (b.defined() ? b.at(i) : 0);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

// |got - want| / |want|, in the L2 norm.
inline double relative_distance(const Tensor& got, const Tensor& want) { return distance(got, want) / distance(want); }

}  // namespace acol::testing
