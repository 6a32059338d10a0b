// log.jsonl of a run: one JSON object a line, in the order of the steps. After a resume it reads as if never stopped.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace acol {

class RunLog {
 public:
  // Opens for appending. Lines about steps after `last_step`, which a resumed run will write again, and a line cut
  // short by a kill are taken out first. Error naming the file if it cannot be written.
  RunLog(const std::filesystem::path& path, std::int64_t last_step);
  // One line: a JSON object with a "step". Flushed at once.
  void write(const std::string& json);

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace acol
