"""The network of adversarial inverse reinforcement learning: a reward and its shaping, which never changes a policy."""

import keras


def shaped(reward: keras.Model, shaping: keras.Model, actions: int, discount: float) -> keras.Model:
    """Build f(s, a, s') = g(s, a) + discount h(s') - h(s) (Fu et al. 2018, equation 4; Ng, Harada & Russell 1999).

    A state is an observation and one more number [S + 1], a transition the observation, the action and that number.

    Args:
        reward: g: transitions [N, S + actions + 1] -> [N, 1]; or states [N, S + 1] -> [N, 1], so that it holds in other
            dynamics too.
        shaping: h: states [N, S + 1] -> [N, 1].
        actions: numbers in an action.
        discount: gamma, in [0, 1].

    Returns:
        transitions and the states that they led to, side by side, float32 [N, 2 (S + 1) + actions] -> [N, 1]. Its layer
        `reward` is g of transitions.
    """
    seen = shaping.input_shape[-1] - 1
    size = seen + actions + 1

    def state(transitions):
        return keras.layers.Concatenate()([transitions[:, :seen], transitions[:, -1:]])

    alone = keras.Input((size,), dtype="float32")
    gain = reward(alone if reward.input_shape[-1] == size else state(alone))
    gain = keras.Model(alone, gain, name="reward")
    rows = keras.Input((size + seen + 1,), dtype="float32")
    potential = keras.Model(shaping.input, shaping.output, name="shaping")
    after, before = potential(rows[:, size:]), potential(state(rows[:, :size]))
    return keras.Model(rows, gain(rows[:, :size]) + discount * after - before, name="shaped_reward")
