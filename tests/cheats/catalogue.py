"""Every known cheat, by its name in two catalogues, and where it is shown not to work.

C01 to C64 are the list of this project's own sandbox; K01 to K50 the classes of cheats seen in kernel benchmarks. Most
stand in this folder, under names that begin with theirs. What belongs to a room of its own is tested there; what only
a device can show waits for one.
"""

from __future__ import annotations

WORK, REMEMBER, GRADER = "test_work_left_out.py", "test_remembering.py", "test_grader.py"
NUMERICS, PLANS = "test_numerics.py", "test_plans.py"

HERE: dict[str, str] = {
    **dict.fromkeys(("C01", "C22", "C49", "C50", "C51", "C52", "C53"), WORK),
    **dict.fromkeys(("C06", "C07", "C26", "C31", "C32", "C43", "C45", "C46", "C56", "C57", "C59"), REMEMBER),
    **dict.fromkeys(("C02", "C03", "C04", "C05", "C08", "C09", "C10", "C11", "C12", "C14", "C15"), GRADER),
    **dict.fromkeys(("C21", "C23", "C25", "C29", "C30", "C33", "C42", "C48", "C58", "C61", "C62", "C63"), GRADER),
    **dict.fromkeys(("C24", "C54", "C60", "C64"), NUMERICS),
    "C13": PLANS,
    **dict.fromkeys(("K01", "K02", "K03", "K04", "K05", "K06", "K07", "K08", "K09", "K10", "K12", "K41"), WORK),
    **dict.fromkeys(("K13", "K14", "K15", "K16", "K17", "K18", "K19", "K20"), REMEMBER),
    **dict.fromkeys(("K22", "K23", "K24", "K26", "K27", "K32", "K33", "K34", "K35", "K36", "K37", "K39"), GRADER),
    **dict.fromkeys(("K42", "K44"), GRADER),
    **dict.fromkeys(("K43", "K46", "K47", "K48", "K49"), NUMERICS),
    "K45": PLANS,
}
"""The file of this folder in which a test's name, or one of its cases, holds the cheat's name."""

ELSEWHERE: dict[str, str] = {
    "C16": "attacks/test_escapes_files.py::test_E56_reads_only_what_it_was_given",
    "C17": "attacks/test_escapes_files.py::test_E01_environment",
    "C18": "attacks/test_escapes_processes.py::test_E05_E06_E07_memory_of_others",
    "C19": "attacks/test_escapes_processes.py::test_E36_E38_E39_signals",
    "C20": "attacks/test_escapes_freeze.py::test_shared_memory_keeps_its_size",
    "C27": "attacks/test_escapes_files.py::test_E16_E17_packages",
    "C28": "attacks/test_escapes_network.py::test_E08_E09_E10_internet",
    "C34": "attacks/test_escapes_processes.py::test_E40_E41_leaving_the_group",
    "C35": "attacks/test_escapes_files.py::test_E03_E04_processes_files",
    "C36": "attacks/test_escapes_files.py::test_E21_symlinks_in_the_folder",
    "C37": "attacks/test_escapes_kernel.py::test_E26_to_E35",
    "C38": "attacks/test_escapes_kernel.py::test_E34_other_instruction_sets_calls",
    "C39": "attacks/test_escapes_files.py::test_E25_setuid_programs",
    "C40": "attacks/test_escapes_files.py::test_E51_metadata_of_foreign_files",
    "K11": "judge/test_lint.py::test_a_rule_finds_what_it_is_about",
    "K38": "oracles/test_tests.py::test_a_candidate_cannot_reach_the_asserts",
    "C47": "measure/test_liars.py::test_K28_a_baseline_that_is_slowed_down",  # calibrated before the candidate is there
    "C41": "measure/test_liars.py::test_work_that_comes_later",
    "C55": "measure/test_liars.py::test_C55_K29_faster_than_the_device_can_be",
    "K21": "measure/test_liars.py::test_work_that_comes_later",
    "K25": "measure/test_liars.py::test_K25_events_that_tell_too_little",
    "K28": "measure/test_liars.py::test_K28_a_baseline_that_is_slowed_down",
    "K29": "measure/test_liars.py::test_C55_K29_faster_than_the_device_can_be",
    "K30": "measure/test_liars.py::test_K30_slow_first_calls_change_nothing",
    "K31": "measure/test_native.py::test_the_winner_of_an_autotuner_is_found_before_the_clock",
    "K50": "measure/test_words.py::test_K50_a_mean_is_of_all_cases_or_of_none",
    "K40": "oracles/test_tests.py::test_tests_that_say_nothing_are_the_authors_problem",
}
"""A test of another room, from the folder of tests on."""

WAITING: dict[str, str] = {
    "C44": "gpu/test_device.py::test_C44_lines_that_persist",  # no simulated cache persists
}
"""What only a device can show, and has not been run on one: a test that is skipped without."""
