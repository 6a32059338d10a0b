#include "acol/train/run_log.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

RunLog::RunLog(const std::filesystem::path& path, std::int64_t last_step) : path_(path) {
  if (std::filesystem::exists(path)) {
    std::istringstream lines(read_file(path));
    std::string kept;
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      if (json.is_object() && json.value("step", std::int64_t{0}) <= last_step) kept += line + "\n";
    }
    write_file_atomically(path, kept);
  }
  out_.open(path, std::ios::app);
  check(out_.is_open(), "cannot write ", path.string());
}

void RunLog::write(const std::string& json) {
  out_ << json << std::endl;
  check(out_.good(), "cannot write ", path_.string(), ": is the disk full?");
}

}  // namespace acol
