"""Worlds small enough to be solved exactly, and many independent runs of them side by side.

Every move is deterministic: what is random is the policy. The state after the end has the number `world.states`, so
that a table of values with one column more than there are states needs no special case: that column stays 0.
"""

from dataclasses import dataclass

import numpy as np

from kgan.errors import UsageError

# Actions of the cliff, in gymnasium's order.
UP, RIGHT, DOWN, LEFT = range(4)
CLIFF_SHAPE = (4, 12)


@dataclass(frozen=True, eq=False)
class World:
    """A Markov decision process by its table.

    Attributes:
        name: for titles and messages.
        next_states: int [states, actions], `states` where the episode ends.
        rewards: float [states, actions].
        start: the state in which every episode begins.
    """

    name: str
    next_states: np.ndarray
    rewards: np.ndarray
    start: int

    @property
    def states(self) -> int:
        """How many states there are, the end not counted; also the end's number."""
        return len(self.next_states)

    @property
    def actions(self) -> int:
        """How many actions there are in each state."""
        return self.next_states.shape[1]

    def uniform(self) -> np.ndarray:
        """The policy that takes every action alike, [states, actions]."""
        return np.full(self.next_states.shape, 1 / self.actions)


def random_walk(states: int = 5, reach: int = 1) -> World:
    """A walk from the middle until it leaves at one end; +1 for the right one (Sutton & Barto 2018, example 6.2).

    Args:
        states: in a row, 5 in the book.
        reach: the longest jump; there are `reach` actions to the left and as many to the right. 1,000 states and 100
            are the world of example 9.1, which however has a reward of -1 at the left.
    """
    jumps = np.array([*range(-reach, 0), *range(1, reach + 1)])
    landed = np.arange(states)[:, None] + jumps
    return World(
        "random walk",
        np.where((landed < 0) | (landed >= states), states, landed),
        (landed >= states).astype(np.float64),
        (states - 1) // 2,
    )


def short_corridor() -> World:
    """Three states, the middle one with left and right exchanged, -1 a step (Sutton & Barto 2018, example 13.1).

    Actions: 0 left, 1 right; right from the last state ends the episode.
    """
    return World("short corridor", np.array([[0, 1], [2, 0], [1, 3]]), np.full((3, 2), -1.0), 0)


def corridor_value(right: np.ndarray | float) -> np.ndarray | float:
    """The exact return of the corridor for a policy that goes right with this probability in every state.

    J(p) = (2p - 4) / (p (1 - p)); its best is -6 - 4 sqrt(2) = -11.657, at p = 2 - sqrt(2).
    """
    return (2 * right - 4) / (right * (1 - right))


def cliff_walking() -> World:
    """The cliff of Sutton & Barto 2018, example 6.6: 4 x 12 cells, -1 a step, -100 and back to the start for a fall.

    Cells are numbered along the rows from the top left; the start is the bottom left corner, the goal the bottom right
    one. Actions are those of gymnasium's CliffWalking: 0 up, 1 right, 2 down, 3 left. The cliff's cells and the goal
    are numbered too, though nobody ever acts there.
    """
    height, width = CLIFF_SHAPE
    row, column = np.divmod(np.arange(height * width), width)
    moves = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
    landed = np.stack(
        [
            np.clip(row + down, 0, height - 1) * width + np.clip(column + right, 0, width - 1)
            for down, right in moves.values()
        ],
        axis=1,
    )
    start, goal = (height - 1) * width, height * width - 1
    fell = (landed > start) & (landed < goal)
    next_states = np.where(fell, start, np.where(landed == goal, height * width, landed))
    return World("cliff walking", next_states, np.where(fell, -100.0, -1.0), start)


# Exact solutions.


def state_values(world: World, policy: np.ndarray, discount: float = 1.0) -> np.ndarray:
    """The expected return from each state under a policy, [states], by solving Bellman's linear equations.

    Args:
        world: what is acted in.
        policy: probabilities [states, actions].
        discount: of the rewards, in [0, 1].

    Raises:
        UsageError: when some state has no value, since the policy never ends the episode from it.
    """
    chances = np.zeros((world.states, world.states + 1))
    np.add.at(chances, (np.arange(world.states)[:, None], world.next_states), policy)
    equations = np.eye(world.states) - discount * chances[:, :-1]
    try:
        return np.linalg.solve(equations, (policy * world.rewards).sum(axis=1))
    except np.linalg.LinAlgError:
        raise UsageError(
            f"this policy never ends some episode of the {world.name}, whose return is without bound: "
            "give a discount below 1."
        ) from None


def optimal_action_values(world: World, discount: float = 1.0) -> np.ndarray:
    """The best expected return from each state after each action, [states, actions], by value iteration.

    Raises:
        UsageError: when returns grow without bound.
    """
    values = np.zeros((world.states, world.actions))
    for _ in range(100_000):
        best = np.append(values.max(axis=1), 0.0)
        improved = world.rewards + discount * best[world.next_states]
        if np.abs(improved - values).max() < 1e-12:
            return improved
        values = improved
    raise UsageError(f"the returns of the {world.name} grow without bound: give a discount below 1.")


def greedy_return(world: World, action_values: np.ndarray) -> np.ndarray:
    """The undiscounted return of acting greedily from the start, [...]; -inf for a policy that goes round in circles.

    Args:
        world: what is acted in.
        action_values: [..., states, actions], of many runs at once; the first of equally good actions is taken.
    """
    actions = action_values.argmax(axis=-1)
    state = np.full(actions.shape[:-1], world.start)
    total = np.zeros(state.shape)
    for _ in range(world.states):  # a greedy policy that has not ended by then has met a state twice
        going = state < world.states
        here = np.where(going, state, 0)
        action = np.take_along_axis(actions, here[..., None], axis=-1)[..., 0]
        total += np.where(going, world.rewards[here, action], 0.0)
        state = np.where(going, world.next_states[here, action], state)
    return np.where(state == world.states, total, -np.inf)


# Experience.


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes of many independent runs; after an episode's end its state is `end` and its rewards are 0.

    Attributes:
        states: int [episodes, steps + 1, runs].
        rewards: float [episodes, steps, runs]; [:, t] is what the step from states[:, t] brought.
        end: the number of the state after the end, which is also the number of states.
    """

    states: np.ndarray
    rewards: np.ndarray
    end: int

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.states.shape[2]

    def first(self, count: int) -> "Episodes":
        """The first `count` episodes of every run."""
        return Episodes(self.states[:count], self.rewards[:count], self.end)

    def returns(self, discount: float = 1.0) -> np.ndarray:
        """The return from every step, [episodes, steps, runs]; 0 after the end."""
        found = np.zeros_like(self.rewards)
        following = np.zeros((len(self.rewards), self.runs))
        for step in reversed(range(self.rewards.shape[1])):
            following = found[:, step] = self.rewards[:, step] + discount * following
        return found


def simulate(world: World, policy: np.ndarray, episodes: int, runs: int = 1, seed: int = 0) -> Episodes:
    """Play every episode of every run to its end at once.

    Args:
        world: what is acted in.
        policy: probabilities [states, actions], under which every episode must end.
        episodes: of each run.
        runs: independent ones.
        seed: the same one gives the same episodes.
    """
    random = np.random.default_rng(seed)
    next_states = np.vstack([world.next_states, np.full(world.actions, world.states)])
    rewards = np.vstack([world.rewards, np.zeros(world.actions)])
    bounds = np.cumsum(np.vstack([policy, world.uniform()[:1]]), axis=1)
    bounds[:, -1] = 1.0  # however the sum was rounded
    # State by state on one line: where state + u falls between the bounds says which action it is.
    line = (bounds + np.arange(world.states + 1)[:, None]).ravel()
    state = np.full((episodes, runs), world.start)
    seen, brought = [state], []
    while (state < world.states).any():
        found = np.searchsorted(line, state + random.random(state.shape), side="right") - state * world.actions
        action = np.minimum(found, world.actions - 1)
        brought.append(rewards[state, action])
        state = next_states[state, action]
        seen.append(state)
    return Episodes(np.stack(seen, axis=1), np.stack(brought, axis=1), world.states)


def eight_episodes() -> Episodes:
    """The lecture's eight episodes of two states, a = 0 and b = 1 (Sutton & Barto 2018, example 6.4).

    One goes a, 0, b, 0; six go b, 1; one goes b, 0. One run.
    """
    states = np.full((8, 3, 1), 2)
    states[0, :2, 0] = 0, 1
    states[1:, 0, 0] = 1
    rewards = np.zeros((8, 2, 1))
    rewards[1:7, 0, 0] = 1.0
    return Episodes(states, rewards, end=2)


class Runs:
    """Independent runs of a world, each with a clock of its own: those that are done leave, the others go on.

    Attributes:
        alive: int, the runs that still go on; all arrays that come and go are of these.
        state: int [alive], where each is.
        finished: int [alive], how many episodes each has ended.
        returns: float [episodes, runs], of each episode.
    """

    def __init__(self, world: World, episodes: int, runs: int):
        """Every run is at the start of the first of its `episodes`."""
        self.world, self.episodes = world, episodes
        self.alive = np.arange(runs)
        self.state = np.full(runs, world.start)
        self.finished = np.zeros(runs, int)
        self.returns = np.zeros((episodes, runs))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Move by these actions [alive] and give the rewards and the states that follow, without going there yet."""
        rewards = self.world.rewards[self.state, actions]
        self.returns[self.finished, self.alive] += rewards
        return rewards, self.world.next_states[self.state, actions]

    def settle(self, next_states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Go there, or back to the start where that is the end; runs whose last episode it was leave.

        Returns:
            Which of those that were alive have ended an episode, and which of them stay, both bool [alive before].
        """
        ended = next_states == self.world.states
        self.state = np.where(ended, self.world.start, next_states)
        self.finished = self.finished + ended
        stay = self.finished < self.episodes
        self.alive, self.state, self.finished = self.alive[stay], self.state[stay], self.finished[stay]
        return ended, stay
